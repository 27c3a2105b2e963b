// Why something could not be placed.

import { h } from "./dom.js";
import { plural } from "./format.js";

// unplaced gives the failed groups of the newest evaluation that has some, if a
// later try still waits.
export function unplaced(evals) {
  if (!evals.some((e) => e.Status === "blocked")) return null;
  const failed = evals.filter((e) => e.FailedTGAllocs && Object.keys(e.FailedTGAllocs).length).sort((a, b) => b.CreateIndex - a.CreateIndex);
  return failed[0]?.FailedTGAllocs ?? null;
}

// failures tells for each group what stands in its way.
export function failures(groups) {
  const all = Object.entries(groups ?? {});
  if (!all.length) return null;
  return h("section", { class: "panel warning", key: "failures", "aria-label": "Placement failures" },
    h("h2", {}, "Not all could be placed"),
    all.map(([name, metric]) => h("div", { key: name },
      h("p", {}, `Group ${name}: ${plural((metric.CoalescedFailures ?? 0) + 1, "allocation")} without a node.`),
      h("ul", {}, reasons(metric).map((r) => h("li", {}, r))))));
}

function reasons(m) {
  const told = [];
  if (!m.NodesEvaluated) told.push("No node was fit to be looked at: check the datacenter, the node pool and whether nodes are ready and eligible.");
  for (const [what, n] of Object.entries(m.ClassFiltered ?? {})) told.push(`Class ${what} left out ${plural(n, "node")}.`);
  for (const [what, n] of Object.entries(m.ConstraintFiltered ?? {})) told.push(`The constraint ${what} left out ${plural(n, "node")}.`);
  for (const [what, n] of Object.entries(m.DimensionExhausted ?? {})) told.push(`${plural(n, "node")} had too little left: ${what}.`);
  for (const what of m.QuotaExhausted ?? []) told.push(`The quota is used up: ${what}.`);
  return told;
}
