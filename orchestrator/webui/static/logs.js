// What a task writes, followed while it runs.

import { Refused, lines, query, request } from "./api.js";
import { h, held, render } from "./dom.js";
import { button } from "./parts.js";

// tail is how many bytes of the past are shown, most how many characters are
// kept, and silence how long the agent may say nothing: it does each second.
const tail = 100_000;
const most = 1_000_000;
const silence = 20_000;
const again = 1_500;

// Terminals are told colours and moves by these; here they would be noise.
const escapes = /\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])/g;

export class Logs {
  #alloc;
  #task = "";
  // kind is stdout or stderr, once that is chosen.
  kind = null;
  #box = document.createElement("pre");
  #stop = new AbortController();
  #length = 0;
  #state = "";
  #follows = true;
  #app;
  #visible = () => this.restart();

  constructor(alloc, app) {
    this.#alloc = alloc;
    this.#app = app;
    Object.assign(this.#box, { className: "log", tabIndex: 0 });
    this.#box.setAttribute("role", "log");
    this.#box.setAttribute("aria-live", "off");
    this.#box.onscroll = () => {
      const end = this.#atEnd();
      if (end !== this.#follows) [this.#follows] = [end, app.draw()];
    };
    document.addEventListener("visibilitychange", this.#visible);
  }

  // show chooses what is read; what is read already goes on.
  show(task, kind = this.kind) {
    if (task === this.#task && kind === this.kind) return;
    [this.#task, this.kind] = [task, kind];
    this.#box.setAttribute("aria-label", `${kind} of ${task}`);
    this.restart();
  }

  restart() {
    this.#stop.abort();
    this.#stop = new AbortController();
    if (this.#task && !document.hidden) this.#run(this.#stop.signal);
  }

  close() {
    this.#stop.abort();
    document.removeEventListener("visibilitychange", this.#visible);
  }

  async #run(stop) {
    while (!stop.aborted) {
      try {
        await this.#read(stop);
        if (!stop.aborted) this.#tell("The task has ended: this is all.");
        return;
      } catch (error) {
        if (stop.aborted) return;
        this.#tell(error instanceof Refused ? `Nothing to read yet: ${error.message}` : "The connection is lost, it is tried again.");
      }
      await new Promise((resolve) => setTimeout(resolve, again));
    }
  }

  async #read(stop) {
    const quiet = new AbortController();
    let watchdog = setTimeout(() => quiet.abort(), silence);
    const path = `/v1/client/fs/logs/${this.#alloc}${query({ task: this.#task, type: this.kind, follow: true, origin: "end", offset: tail })}`;
    try {
      const response = await request(path, { signal: AbortSignal.any([stop, quiet.signal]) });
      this.#clear();
      this.#tell("");
      const decoder = new TextDecoder();
      for await (const frame of lines(response)) {
        clearTimeout(watchdog);
        watchdog = setTimeout(() => quiet.abort(), silence);
        if (frame.Data && !stop.aborted) this.#append(decoder.decode(Uint8Array.from(atob(frame.Data), (c) => c.charCodeAt(0)), { stream: true }));
      }
    } finally {
      clearTimeout(watchdog);
    }
  }

  #atEnd() {
    return this.#box.scrollHeight - this.#box.scrollTop - this.#box.clientHeight < 24;
  }

  #clear() {
    this.#box.textContent = "";
    this.#length = 0;
  }

  #append(text) {
    const shown = text.replace(escapes, "");
    this.#box.append(shown);
    this.#length += shown.length;
    while (this.#length > most && this.#box.childNodes.length > 1) {
      this.#length -= this.#box.firstChild.data.length;
      this.#box.firstChild.remove();
    }
    if (this.#follows) this.#box.scrollTop = this.#box.scrollHeight;
  }

  #tell(text) {
    this.#state = text;
    this.#app.draw();
  }

  #toEnd() {
    this.#follows = true;
    this.#box.scrollTop = this.#box.scrollHeight;
    this.#app.draw();
  }

  // draw is the panel, for the tasks that there are.
  draw(tasks) {
    const choice = (kind) => button(kind, () => { this.show(this.#task, kind); this.#app.draw(); }, { "aria-pressed": String(kind === this.kind) });
    return h("section", { class: "panel", key: "logs", "aria-label": "Logs" },
      h("div", { class: "title" },
        h("h2", {}, "Logs"),
        tasks.length > 1 && h("label", {}, h("span", { class: "hidden" }, "Task"),
          h("select", { onchange: (e) => { this.show(e.target.value); this.#app.draw(); } }, tasks.map((t) => h("option", { key: t, value: t, selected: t === this.#task }, t)))),
        h("div", { class: "switch", role: "group", "aria-label": "Stream" }, choice("stdout"), choice("stderr")),
        h("div", { class: "actions" }, !this.#follows && button("To the end", () => this.#toEnd()))),
      held(this.#box),
      h("p", { class: "muted small", role: "status" }, this.#state || (this.#follows ? "Following." : "Not following: you scrolled up.")));
  }
}
