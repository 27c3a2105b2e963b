// A deployment and how far it is.

import { fail, promote, revertDeployment } from "./actions.js";
import { h } from "./dom.js";
import { ago, millis, short, span } from "./format.js";
import { bar, button, table } from "./parts.js";
import { jobLink } from "./route.js";
import { badge } from "./status.js";

export const isActive = (d) => ["running", "paused", "pending", "blocked", "unblocking", "initializing"].includes(d.Status);

const groups = (d) => Object.entries(d.TaskGroups ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));

// word is the status of a deployment: what runs here is no allocation.
function word(d) {
  if (d.Status !== "running") return d.Status;
  return awaits(d) ? "awaits promotion" : "deploying";
}

function awaits(d) {
  const waiting = groups(d).filter(needsPromotion);
  return isActive(d) && waiting.length > 0 && waiting.every(([, g]) => canariesHealthy(g) && !g.AutoPromote);
}

const canariesHealthy = (g) => (g.HealthyAllocs ?? 0) >= g.DesiredCanaries;

const needsPromotion = ([, g]) => g.DesiredCanaries > 0 && !g.Promoted;

// actionsOf are the buttons that have a meaning for a deployment. One whose
// canaries are not healthy yet cannot be promoted, and says so.
export function actionsOf(d, isLatest) {
  const back = d.JobVersion > 0 && button("Revert…", () => revertDeployment(d));
  if (!isActive(d)) return isLatest ? [back] : [];
  const waiting = groups(d).filter(needsPromotion);
  const ready = waiting.every(([, g]) => canariesHealthy(g));
  return [
    waiting.length > 0 && button("Promote", () => promote(d), { class: "primary", disabled: !ready, title: ready ? null : "The canaries are not healthy yet." }),
    button("Fail", () => fail(d), { class: "danger" }),
    back,
  ];
}

export function progress(d) {
  return table(
    [{ name: "Group" }, { name: "Progress", class: "grow" }, { name: "Healthy", class: "number" }, { name: "Placed", class: "number wide" },
      { name: "Canaries", class: "wide" }, { name: "Time left", class: "number wide" }],
    groups(d).map(([name, g]) => ({ key: name, cells: [name, groupBar(g), `${g.HealthyAllocs} of ${g.DesiredTotal}`, g.PlacedAllocs, canaries(g), left(d, g)] })),
    "This deployment has no groups.");
}

function groupBar(g) {
  const starting = Math.max(0, g.PlacedAllocs - g.HealthyAllocs - g.UnhealthyAllocs);
  return [
    bar([{ n: g.HealthyAllocs, tone: "ok", name: "healthy" }, { n: starting, tone: "busy", name: "starting" }, { n: g.UnhealthyAllocs, tone: "bad", name: "unhealthy" }], g.DesiredTotal),
    g.UnhealthyAllocs > 0 && h("span", { class: "note bad" }, `${g.UnhealthyAllocs} unhealthy`),
  ];
}

function canaries(g) {
  if (!g.DesiredCanaries) return "–";
  return g.Promoted ? "promoted" : `${(g.PlacedCanaries ?? []).length} of ${g.DesiredCanaries}${g.AutoPromote ? ", by itself" : ", by hand"}`;
}

function left(d, g) {
  const until = millis(g.RequireProgressBy);
  const waits = g.DesiredCanaries > 0 && !g.Promoted && canariesHealthy(g);
  return isActive(d) && until && !waits && g.HealthyAllocs < g.DesiredTotal ? span(until - Date.now()) : "–";
}

// card shows a whole deployment. The first line names its job, where that is not
// what the page is about.
export function card(d, { named, isLatest }) {
  const job = { id: d.JobID, namespace: d.Namespace };
  return h("section", { class: `panel deployment ${isActive(d) ? "active" : ""}`, key: d.ID, "aria-label": `Deployment ${short(d.ID)}` },
    h("div", { class: "title" },
      h("h2", {}, named ? h("a", { href: jobLink(job) }, d.JobID) : "Deployment", ` version ${d.JobVersion}`),
      badge(word(d)),
      h("div", { class: "actions" }, actionsOf(d, isLatest))),
    h("p", { class: "muted" }, h("code", { title: d.ID }, short(d.ID)), ` ${d.StatusDescription}`, d.ModifyTime ? [" · ", ago(d.ModifyTime)] : ""),
    progress(d));
}
