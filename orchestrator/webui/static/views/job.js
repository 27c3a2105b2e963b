// One job: what of it runs, how it came so, and what can be done.

import { revert, startJob, stopJob } from "../actions.js";
import { allocTable } from "../allocs.js";
import { get, jobPath } from "../api.js";
import { card } from "../deployment.js";
import { h } from "../dom.js";
import { ago, commitOf } from "../format.js";
import { button, facts, heading, section, table, tabs } from "../parts.js";
import { definition, evaluations, loadDefinition, loadVersions, versions } from "../jobtabs.js";
import { failures, unplaced } from "../placement.js";
import { jobLink } from "../route.js";
import { badge, jobState } from "../status.js";

const names = [["overview", "Overview"], ["versions", "Versions"], ["evaluations", "Evaluations"], ["definition", "Definition"]];

export default function job({ id, namespace, tab }) {
  const self = { id, namespace };
  return {
    title: id,
    cares: (event) => event.Key === id || (event.FilterKeys ?? []).includes(id) || Object.values(event.Payload ?? {}).some((x) => x?.JobID === id || x?.ParentID === id),
    async load(signal) {
      const parts = { overview: loadOverview, versions: loadVersions, evaluations: loadEvaluations, definition: loadDefinition };
      const [found, statuses, more] = await Promise.all([
        get(jobPath(self), { signal }),
        get(`/v1/jobs/statuses?namespace=${encodeURIComponent(namespace)}&include_children=true&filter=${encodeURIComponent(`ID == ${JSON.stringify(id)}`)}`, { signal }).catch(() => []),
        parts[tab](self, signal),
      ]);
      const status = statuses.find((j) => j.ID === id) ?? { ...found, Allocs: more.allocs };
      return { job: found, state: jobState(status), ...more };
    },
    draw: (data) => [
      head(self, data),
      tabs(names.map(([name, text]) => [name, text, jobLink(self, name === "overview" ? "" : name)]), tab),
      { overview, versions, evaluations, definition }[tab](data, self),
    ],
  };
}

function head(self, { job: j, state }) {
  return heading({
    trail: [["Jobs", "/ui/jobs"], ...(j.ParentID ? [[j.ParentID, jobLink({ id: j.ParentID, namespace: self.namespace })]] : [])],
    title: j.Name || self.id, beside: badge(state),
    actions: [
      h("a", { class: "button", href: `/ui/jobs/run?job=${encodeURIComponent(self.id)}&namespace=${encodeURIComponent(self.namespace)}` }, "Edit"),
      j.Version > 0 && button("Revert…", () => revert(self)),
      j.Stop ? button("Start", () => startJob(self, j.Version), { class: "primary" }) : button("Stop", () => stopJob(self), { class: "danger" }),
    ],
  });
}

const loadEvaluations = async (self, signal) => ({ evals: await get(jobPath(self, "/evaluations"), { signal }) });

async function loadOverview(self, signal) {
  const [allocs, deployments, evals, summary, children] = await Promise.all([
    get(jobPath(self, "/allocations"), { signal }),
    get(jobPath(self, "/deployments"), { signal }),
    get(jobPath(self, "/evaluations"), { signal }),
    get(jobPath(self, "/summary"), { signal }),
    get(`/v1/jobs?namespace=${encodeURIComponent(self.namespace)}&prefix=${encodeURIComponent(self.id + "/")}`, { signal }),
  ]);
  deployments.sort((a, b) => b.CreateIndex - a.CreateIndex);
  return { allocs, deployments, evals, summary: summary.Summary ?? {}, children: children.filter((c) => c.ParentID === self.id) };
}

function overview({ job: j, allocs, deployments, evals, summary, children }, self) {
  const parent = Boolean(j.Periodic || j.ParameterizedJob);
  return [
    failures(unplaced(evals)),
    deployments.slice(0, 1).map((d) => card(d, { isLatest: true })),
    !parent && section("Groups", groups(j, summary)),
    parent && section("Launches", launches(children, self)),
    !parent && section("Allocations", allocTable(allocs, { empty: "Nothing has been placed yet." })),
    section("About", facts(about(j, self)), j.Meta && [h("h3", {}, "Meta"), facts(Object.entries(j.Meta).sort().map(([k, v]) => [k, h("code", {}, v)]))]),
  ];
}

function about(j, self) {
  const commit = commitOf(j);
  return [
    ["Commit", commit && h("code", {}, commit)], ["Version", String(j.Version)], ["Submitted", ago(j.SubmitTime)], ["Type", j.Type], ["Namespace", self.namespace],
    ["Priority", String(j.Priority)], ["Datacenters", (j.Datacenters ?? []).join(", ")], ["Node pool", j.NodePool],
    ["Schedule", j.Periodic && [j.Periodic.Spec, ...(j.Periodic.Specs ?? [])].filter(Boolean).join(", ")],
    ["Launched by", j.ParameterizedJob && "dispatch"], ["Status", j.StatusDescription],
  ];
}

function groups(j, summary) {
  return table(
    [{ name: "Group", class: "grow" }, { name: "Tasks", class: "grow wide" }, { name: "Count", class: "number" }, { name: "Running", class: "number" }, { name: "Starting", class: "number wide" },
      { name: "Queued", class: "number wide" }, { name: "Failed", class: "number" }, { name: "Complete", class: "number wide" }],
    (j.TaskGroups ?? []).map((g) => {
      const s = summary[g.Name] ?? {};
      return { key: g.Name, cells: [g.Name, (g.Tasks ?? []).map((t) => `${t.Name} (${t.Driver})`).join(", "), j.Type === "system" ? "each node" : g.Count, s.Running, s.Starting, s.Queued, s.Failed, s.Complete] };
    }), "This job has no groups.");
}

function launches(children, self) {
  return table([{ name: "Job", class: "grow" }, { name: "Status" }, { name: "Launched", class: "number" }],
    [...children].sort((a, b) => b.SubmitTime - a.SubmitTime).map((c) => ({
      key: c.ID, cells: [h("a", { href: jobLink({ id: c.ID, namespace: self.namespace }) }, c.ID.slice(self.id.length + 1)), badge(c.Status === "dead" ? childResult(c) : c.Status), ago(c.SubmitTime)],
    })), "It has not been launched yet.");
}

function childResult(c) {
  const groups = Object.values(c.JobSummary?.Summary ?? {});
  return groups.some((g) => g.Failed > 0 && !g.Complete) ? "failed" : "complete";
}
