// One allocation: its tasks, what happened to them, what they write.

import { restartAlloc, stopAlloc } from "../actions.js";
import { get } from "../api.js";
import { h } from "../dom.js";
import { ago, at, bytes, commitOf, short } from "../format.js";
import { Logs } from "../logs.js";
import { facts, heading, button, section, table } from "../parts.js";
import { jobLink, nodeLink } from "../route.js";
import { badge, health } from "../status.js";

export default function alloc({ id, task }, app) {
  const logs = new Logs(id, app);
  let chosen = task;
  return {
    title: `Allocation ${short(id)}`,
    cares: (event) => event.Topic === "Allocation" && event.Key === id,
    close: () => logs.close(),
    async load(signal) {
      const path = encodeURIComponent(id);
      const [found, checks] = await Promise.all([
        get(`/v1/allocation/${path}`, { signal }),
        get(`/v1/client/allocation/${path}/checks`, { signal }).catch(() => ({})),
      ]);
      return { alloc: found, checks: Object.values(checks ?? {}) };
    },
    draw({ alloc: a, checks }) {
      const group = (a.Job?.TaskGroups ?? []).find((g) => g.Name === a.TaskGroup);
      const tasks = [...new Set([...(group?.Tasks ?? []).map((t) => t.Name), ...Object.keys(a.TaskStates ?? {})])];
      if (!tasks.includes(chosen)) chosen = mainTask(group) ?? tasks[0];
      // A task that failed says why on stderr, more often than not.
      if (a.TaskStates?.[chosen]) logs.show(chosen, logs.kind ?? (a.TaskStates[chosen].Failed ? "stderr" : "stdout"));
      return [
        head(a),
        section("Tasks", taskTable(a, group, tasks)),
        logs.draw(tasks),
        section("Events", events(a, tasks)),
        checks.length > 0 && section("Checks", checkTable(checks)),
        section("About", facts(about(a))),
      ];
    },
  };
}

// mainTask is the first that is there for more than to prepare the others.
const mainTask = (group) => (group?.Tasks ?? []).find((t) => !t.Lifecycle)?.Name;

const lives = (a) => a.ClientStatus === "running" || a.ClientStatus === "pending";

function head(a) {
  const job = { id: a.JobID, namespace: a.Namespace };
  return heading({
    trail: [["Jobs", "/ui/jobs"], [a.JobID, jobLink(job)]],
    title: a.Name, beside: [badge(a.ClientStatus, a.ClientDescription), a.DeploymentStatus?.Canary && h("span", { class: "tag" }, "canary")],
    actions: lives(a) ? [button("Restart", () => restartAlloc(a)), button("Stop", () => stopAlloc(a), { class: "danger" })] : [],
  });
}

function about(a) {
  const ports = a.AllocatedResources?.Shared?.Ports ?? [];
  return [
    ["ID", h("code", {}, a.ID)], ["Health", health(a)], ["Told", a.ClientDescription], ["Wanted", a.DesiredStatus === "run" ? "" : [a.DesiredStatus, a.DesiredDescription].filter(Boolean).join(": ")],
    ["Job version", String(a.Job?.Version ?? "")], ["Commit", commitOf(a.Job) && h("code", {}, commitOf(a.Job))],
    ["Node", h("a", { href: nodeLink(a.NodeID) }, a.NodeName || short(a.NodeID))],
    ["Ports", ports.map((p) => `${p.Label} ${p.HostIP}:${p.Value}`).join(", ")],
    ["Made", at(a.CreateTime)], ["Changed", at(a.ModifyTime)],
    ["Replaces", a.PreviousAllocation && h("a", { href: `/ui/allocations/${a.PreviousAllocation}` }, short(a.PreviousAllocation))],
    ["Replaced by", a.NextAllocation && h("a", { href: `/ui/allocations/${a.NextAllocation}` }, short(a.NextAllocation))],
  ];
}

function taskTable(a, group, tasks) {
  return table(
    [{ name: "Task" }, { name: "Status" }, { name: "Driver", class: "wide" }, { name: "Last event", class: "grow" }, { name: "Memory", class: "number wide" }, { name: "Restarts", class: "number" }, { name: "Started", class: "number wide" }],
    tasks.map((name) => {
      const state = a.TaskStates?.[name];
      const definition = (group?.Tasks ?? []).find((t) => t.Name === name);
      return { key: name, cells: [name, badge(taskState(state)), definition?.Driver, state?.Events?.at(-1)?.DisplayMessage ?? "–",
        bytes((definition?.Resources?.MemoryMB ?? 0) * 1048576), state?.Restarts ?? 0, state ? ago(state.StartedAt) : "–"] };
    }), "This allocation has no tasks.");
}

function taskState(state) {
  if (!state) return "pending";
  if (state.State !== "dead") return state.State;
  return state.Failed ? "failed" : "complete";
}

function events(a, tasks) {
  const all = tasks.flatMap((name) => (a.TaskStates?.[name]?.Events ?? []).map((e, i) => ({ ...e, task: name, key: `${name} ${e.Time} ${i}` })));
  all.sort((x, y) => y.Time - x.Time);
  return table([{ name: "When" }, { name: "Task", class: tasks.length > 1 ? "" : "gone" }, { name: "Event" }, { name: "What happened", class: "grow" }],
    all.map((e) => ({ key: e.key, class: e.FailsTask ? "bad" : "", cells: [at(e.Time), e.task, e.Type, e.DisplayMessage] })), "Nothing has happened yet.");
}

function checkTable(checks) {
  return table([{ name: "Check" }, { name: "Status" }, { name: "Kind", class: "wide" }, { name: "Answer", class: "grow" }, { name: "When", class: "number" }],
    checks.map((c) => ({ key: c.ID, cells: [c.Check, badge(c.Status), c.Mode, c.Output, ago(c.Timestamp * 1e9)] })), "");
}
