// The deployments of all jobs: those under way with all they need, and below
// them what was.

import { get } from "../api.js";
import { actionsOf, card, isActive } from "../deployment.js";
import { h } from "../dom.js";
import { ago, plural, short } from "../format.js";
import { heading, section, table } from "../parts.js";
import { jobLink } from "../route.js";
import { badge } from "../status.js";

// shown is how many of the past ones are listed.
const shown = 100;

export default function deployments() {
  return {
    title: "Deployments",
    cares: (event) => event.Topic === "Deployment" || event.Topic === "Job",
    async load(signal) {
      const list = await get("/v1/deployments?namespace=*", { signal });
      return list.sort((a, b) => b.CreateIndex - a.CreateIndex);
    },
    draw(list) {
      const latest = new Map();
      for (const d of list) {
        const job = `${d.Namespace} ${d.JobID}`;
        if (!latest.has(job)) latest.set(job, d.ID);
      }
      const isLatest = (d) => latest.get(`${d.Namespace} ${d.JobID}`) === d.ID;
      const active = list.filter(isActive);
      const past = list.filter((d) => !isActive(d));
      return [
        heading({ title: "Deployments", beside: h("span", { class: "muted" }, active.length ? `${active.length} under way` : "none under way") }),
        active.map((d) => card(d, { named: true, isLatest: true })),
        section(active.length ? "Past" : "All", history(past.slice(0, shown), isLatest),
          past.length > shown && h("p", { class: "muted" }, `and ${plural(past.length - shown, "older one")}`)),
      ];
    },
  };
}

function history(list, isLatest) {
  return table(
    [{ name: "Deployment" }, { name: "Job", class: "grow" }, { name: "Version", class: "number" }, { name: "Status" }, { name: "Why", class: "wide" }, { name: "Changed", class: "number" }, { name: "Actions", class: "number" }],
    list.map((d) => ({
      key: d.ID, cells: [
        h("code", { title: d.ID }, short(d.ID)), h("a", { href: jobLink({ id: d.JobID, namespace: d.Namespace }) }, d.JobID), d.JobVersion,
        badge(d.Status), d.StatusDescription, ago(d.ModifyTime), actionsOf(d, isLatest(d)),
      ],
    })), "No deployment yet. A service job with an update block makes one each time that it changes.");
}
