// A table of allocations.

import { h } from "./dom.js";
import { ago, millis, short } from "./format.js";
import { table } from "./parts.js";
import { allocLink, jobLink, nodeLink } from "./route.js";
import { badge, health } from "./status.js";

const restarts = (a) => Object.values(a.TaskStates ?? {}).reduce((sum, t) => sum + (t.Restarts ?? 0), 0);

const ended = (a) => ["complete", "failed", "lost"].includes(a.ClientStatus);

// Those that live come first, the newest of them on top.
const order = (a, b) => ended(a) - ended(b) || millis(b.CreateTime) - millis(a.CreateTime) || (a.Name < b.Name ? -1 : 1);

// allocTable shows allocations; with is what else to show: node or job.
export function allocTable(allocs, { withJob = false, empty = "There are no allocations." } = {}) {
  const columns = [
    { name: "Allocation" }, { name: withJob ? "Job" : "Group", class: "grow" }, { name: "Status" }, { name: "Health", class: "wide" },
    { name: "Version", class: "number wide" }, { name: "Node", class: "wide" }, { name: "Restarts", class: "number wide" }, { name: "Changed", class: "number wide" },
  ];
  return table(columns, [...allocs].sort(order).map((a) => ({
    key: a.ID, class: ended(a) ? "ended" : "", cells: [
      h("a", { href: allocLink(a.ID), title: a.ID }, h("code", {}, short(a.ID))),
      withJob ? [h("a", { href: jobLink({ id: a.JobID, namespace: a.Namespace }) }, a.JobID), " ", h("span", { class: "muted" }, member(a)), why(a)] : [member(a), why(a)],
      statusOf(a), health(a), a.JobVersion, h("a", { href: nodeLink(a.NodeID) }, a.NodeName || short(a.NodeID)), restarts(a), ago(a.ModifyTime),
    ],
  })), empty);
}

// member is GROUP[INDEX]: the name without the job.
const member = (a) => [a.Name.startsWith(a.JobID + ".") ? a.Name.slice(a.JobID.length + 1) : a.Name,
  a.DeploymentStatus?.Canary && [" ", h("span", { class: "tag" }, "canary")]];

// why is what ended an allocation that failed.
function why(a) {
  if (a.ClientStatus !== "failed") return null;
  const events = Object.values(a.TaskStates ?? {}).filter((t) => t.Failed).flatMap((t) => t.Events ?? []);
  const told = events.filter((e) => e.Type !== "Not Restarting" && e.Type !== "Killing" && e.Type !== "Killed").at(-1);
  return told && h("span", { class: "note why" }, told.DisplayMessage);
}

function statusOf(a) {
  const stopping = a.DesiredStatus !== "run" && !ended(a);
  return [badge(a.ClientStatus, a.ClientDescription), stopping && h("span", { class: "note" }, " stopping")];
}
