// The page: it shows the view of its address, and keeps it as the agent's state
// is.

import { Gone, Refused } from "./api.js";
import { h, render } from "./dom.js";
import { Live } from "./live.js";
import { problem } from "./parts.js";
import { parse } from "./route.js";
import alloc from "./views/alloc.js";
import deployments from "./views/deployments.js";
import job from "./views/job.js";
import jobs from "./views/jobs.js";
import node from "./views/node.js";
import nodes from "./views/nodes.js";
import run from "./views/run.js";
import token, { tokenForm } from "./views/token.js";

const views = { alloc, deployments, job, jobs, node, nodes, run, token };

// The view is read again at most so often, and the slower the agent answers the
// less; what it shows is drawn anew now and then, as its times grow. In
// milliseconds.
const soonest = 150;
const latest = 3000;
const redraw = 5000;

const main = document.getElementById("main");

class App {
  #view = null;
  #path = "";
  #data;
  #error = null;
  #stop = new AbortController();
  #timer = 0;
  #loading = false;
  #again = false;
  #took = 0;
  #fresh = false;
  #live;

  start() {
    this.#live = new Live((events) => this.#changed(events), (state) => this.#connection(state));
    document.addEventListener("click", (event) => this.#follow(event));
    window.addEventListener("popstate", () => this.#path === location.pathname + location.search || this.#show());
    window.addEventListener("keydown", (event) => this.#keys(event));
    setInterval(() => document.hidden || this.draw(), redraw);
    this.#show();
    this.#live.restart();
  }

  // go leads to another address of the page.
  go(path) {
    history.pushState(null, "", path);
    this.#show();
    window.scrollTo(0, 0);
  }

  // restart is for another token: everything is asked for again.
  restart() {
    if (this.#error) this.#show();
    else this.#load();
    this.#live.restart();
  }

  // draw shows the view as it is.
  draw() {
    if (!this.#view) return;
    if (this.#error) render(main, this.#trouble(this.#error));
    else if (this.#data === undefined) render(main, h("p", { class: "waiting", key: "waiting" }, "Loading…"));
    else render(main, this.#view.draw(this.#data));
    if (this.#fresh && (this.#error || this.#data !== undefined)) this.#arrive();
  }

  #show() {
    this.#stop.abort();
    this.#stop = new AbortController();
    clearTimeout(this.#timer);
    this.#view?.close?.();
    [this.#data, this.#error, this.#timer, this.#loading, this.#again] = [undefined, null, 0, false, false];
    this.#path = location.pathname + location.search;
    const route = parse(location.pathname);
    this.#view = (views[route.name] ?? nowhere)(route, this);
    document.title = `${this.#view.title} – Ostro`;
    for (const link of document.querySelectorAll(".top nav a")) {
      const here = location.pathname.startsWith(new URL(link.href).pathname) || (link.pathname === "/ui/jobs" && ["job", "jobs", "alloc", "run"].includes(route.name));
      if (here) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    render(main);
    // What comes at once needs no word that it is waited for.
    setTimeout(() => this.draw(), 300);
    this.#load();
  }

  // arrive takes who follows a link to the top of what it leads to.
  #arrive() {
    this.#fresh = false;
    const title = main.querySelector("h1");
    title?.focus({ preventScroll: true });
  }

  async #load() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (this.#loading) {
      this.#again = true;
      return;
    }
    const [view, signal, began] = [this.#view, this.#stop.signal, performance.now()];
    this.#loading = true;
    try {
      const data = await view.load(signal);
      if (signal.aborted) return;
      [this.#data, this.#error] = [data, null];
    } catch (error) {
      if (signal.aborted) return;
      // What was read stays, greyed out, while the agent is away.
      if (!(error instanceof Gone) || this.#data === undefined) this.#error = error;
      if (error instanceof Gone) this.#timer = setTimeout(() => this.#load(), latest);
    }
    this.#loading = false;
    this.#took = performance.now() - began;
    this.draw();
    if (this.#again) {
      this.#again = false;
      this.#soon();
    }
  }

  #soon() {
    if (!this.#timer) this.#timer = setTimeout(() => this.#load(), Math.min(latest, Math.max(soonest, 3 * this.#took)));
  }

  #changed(events) {
    const all = events === null;
    if (all || this.#error || !this.#view.cares || events.some((event) => this.#view.cares(event))) this.#soon();
  }

  #connection(state) {
    const words = { live: "Live", lost: "Not connected", looking: "Looking every 3 s" };
    document.body.classList.toggle("stale", state === "lost");
    render(document.getElementById("connection"), h("span", { class: `badge ${{ live: "ok", lost: "bad", looking: "warn" }[state]}` }, words[state]));
    render(document.getElementById("lost"), state === "lost" && h("p", {}, `The agent at ${location.host} does not answer. What you see may be old; the page comes back by itself.`));
  }

  #trouble(error) {
    if (error instanceof Gone) return problem("The agent does not answer", "It may be starting, or have ended. This page tries again by itself.");
    if (!(error instanceof Refused)) return problem("This page has a fault", String(error?.message ?? error));
    if (error.status === 403) return problem("A token is needed", error.message === "ACL token not found" ? "The agent does not know the token that this tab uses." : "The agent shows this only to who has a token that allows it.", tokenForm(this));
    if (error.status === 404) return problem("There is nothing here", `The agent says: ${error.message || "not found"}. It may have been removed meanwhile.`, h("p", {}, h("a", { href: "/ui/jobs" }, "To all jobs")));
    return problem("The agent refuses", error.message);
  }

  // follow takes links within the page without loading it anew.
  #follow(event) {
    const link = event.target.closest?.("a[href]");
    if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || link.target) return;
    const url = new URL(link.href);
    if (url.origin !== location.origin || !url.pathname.startsWith("/ui/") || link.getAttribute("href").startsWith("#")) return;
    event.preventDefault();
    this.#fresh = true;
    this.go(url.pathname + url.search);
  }

  #keys(event) {
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    const find = document.getElementById("find");
    if (event.key !== "/" || typing || !find || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    find.focus();
  }
}

const nowhere = () => ({
  title: "No such page",
  load: async () => true,
  draw: () => problem("There is no such page", "The address leads nowhere.", h("p", {}, h("a", { href: "/ui/jobs" }, "To all jobs"))),
});

new App().start();
