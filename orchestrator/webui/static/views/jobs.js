// All jobs.

import { get } from "../api.js";
import { h } from "../dom.js";
import { ago, plural } from "../format.js";
import { bar, button, heading, table } from "../parts.js";
import { jobLink } from "../route.js";
import { badge, jobState, jobStates } from "../status.js";

// onPage is how many jobs are drawn at once.
const onPage = 100;

export default function jobs(_, app) {
  const asked = new URLSearchParams(location.search);
  const filter = { q: asked.get("q") ?? "", status: asked.get("status") ?? "", namespace: asked.get("namespace") ?? "", page: Number(asked.get("page") ?? 1) };

  function set(change) {
    Object.assign(filter, { page: 1 }, change);
    const kept = new URLSearchParams(Object.entries(filter).filter(([name, value]) => value && !(name === "page" && value === 1)));
    history.replaceState(null, "", location.pathname + (kept.size ? "?" + kept : ""));
    app.draw();
  }

  const fits = (job) => (!filter.status || job.state === filter.status) && (!filter.namespace || job.Namespace === filter.namespace) &&
    `${job.ID} ${job.Name}`.toLowerCase().includes(filter.q.toLowerCase());

  return {
    title: "Jobs",
    cares: (event) => ["Job", "Allocation", "Deployment"].includes(event.Topic),
    async load(signal) {
      const list = await get("/v1/jobs/statuses?namespace=*", { signal });
      for (const job of list) job.state = jobState(job);
      return list.sort((a, b) => (a.ID < b.ID ? -1 : a.ID > b.ID ? 1 : 0));
    },
    draw(list) {
      if (!list.length) return [heading({ title: "Jobs" }), nothing()];
      const found = list.filter(fits);
      const pages = Math.max(1, Math.ceil(found.length / onPage));
      const page = Math.min(Math.max(1, filter.page), pages);
      return [
        heading({ title: "Jobs", beside: h("span", { class: "muted" }, found.length === list.length ? plural(list.length, "job") : `${found.length} of ${plural(list.length, "job")}`) }),
        filters(list, filter, set),
        h("section", { class: "panel", key: "list" }, rows(found.slice((page - 1) * onPage, page * onPage), list)),
        pages > 1 && pager(page, pages, set),
      ];
    },
  };
}

function nothing() {
  return h("section", { class: "panel blank", key: "nothing" },
    h("h2", {}, "No job runs here yet"),
    h("p", {}, "Write one in the browser, or deploy from a terminal:"),
    h("pre", {}, "ostro deploy -standalone examples/http-echo"),
    h("p", {}, h("a", { class: "button primary", href: "/ui/jobs/run" }, "Run a job")));
}

function filters(list, filter, set) {
  const namespaces = [...new Set(list.map((job) => job.Namespace))].sort();
  const states = jobStates.filter((state) => state === filter.status || list.some((job) => job.state === state));
  const select = (name, label, all, values) => h("label", {}, h("span", { class: "hidden" }, label),
    h("select", { onchange: (e) => set({ [name]: e.target.value }) },
      h("option", { value: "", selected: !filter[name] }, all), values.map((v) => h("option", { key: v, value: v, selected: v === filter[name] }, v))));
  return h("form", { class: "filters", role: "search", key: "filters", onsubmit: (e) => e.preventDefault() },
    h("label", { class: "grow" }, h("span", { class: "hidden" }, "Find a job by name"),
      h("input", { type: "search", id: "find", placeholder: "Find a job by name", value: filter.q, autocomplete: "off", oninput: (e) => set({ q: e.target.value }) })),
    select("status", "Status", "Any status", states),
    namespaces.length > 1 && select("namespace", "Namespace", "Any namespace", namespaces));
}

function rows(shown, list) {
  const several = list.some((job) => job.Namespace !== "default");
  const columns = [{ name: "Job", class: "grow" }, { name: "Status" }, { name: "Running", class: "running" }, { name: "Type", class: "wide" }, { name: "Version", class: "number wide" }, { name: "Submitted", class: "number wide" }];
  return table(columns, shown.map((job) => ({
    key: `${job.ID}@${job.Namespace}`, cells: [
      [h("a", { class: "name", href: jobLink({ id: job.ID, namespace: job.Namespace }) }, job.ID), several && h("span", { class: "muted" }, ` ${job.Namespace}`)],
      badge(job.state), running(job), job.Type, job.Version, ago(job.SubmitTime),
    ],
  })), "No job fits. Change the filter above.");
}

function running(job) {
  if (job.ChildStatuses) return plural(job.ChildStatuses.length, "child", "children");
  const count = (status) => (job.Allocs ?? []).filter((a) => a.ClientStatus === status).length;
  const n = count("running");
  const wanted = job.Type === "system" || job.Type === "sysbatch" ? n : job.GroupCountSum;
  if (job.Stop || job.Status === "dead") return h("span", { class: "muted" }, "–");
  return [h("span", { class: "figure" }, `${n} of ${wanted}`),
    bar([{ n, tone: "ok", name: "running" }, { n: count("pending"), tone: "busy", name: "pending" }], wanted)];
}

function pager(page, pages, set) {
  return h("nav", { class: "pager", "aria-label": "Pages", key: "pager" },
    button("Previous", () => set({ page: page - 1 }), { disabled: page === 1 }),
    h("span", {}, `Page ${page} of ${pages}`),
    button("Next", () => set({ page: page + 1 }), { disabled: page === pages }));
}
