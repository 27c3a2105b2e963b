// The difference of two versions of a job, as the API tells it.

import { h } from "./dom.js";

const marks = { Added: "+", Deleted: "−", Edited: "±" };
const words = { Added: "added", Deleted: "removed", Edited: "changed" };

const changed = (d) => d && d.Type !== "None";

// diff is a tree of what changed; nothing where all is the same.
export function diff(job) {
  if (!changed(job)) return h("p", { class: "empty" }, "Nothing differs.");
  return h("ul", { class: "diff" }, fields(job), objects(job), (job.TaskGroups ?? []).filter(changed).map(group));
}

function group(g) {
  return node(g, `group "${g.Name}"`, [updates(g.Updates), fields(g), objects(g), (g.Tasks ?? []).filter(changed).map(task)]);
}

const task = (t) => node(t, `task "${t.Name}"`, [t.Annotations?.length && h("li", { class: "note" }, t.Annotations.join(", ")), fields(t), objects(t)]);

function updates(counts) {
  const told = Object.entries(counts ?? {}).filter(([, n]) => n > 0).map(([what, n]) => `${n} ${what}`);
  return told.length > 0 && h("li", { class: "note" }, told.join(", "));
}

const objects = (d) => (d.Objects ?? []).filter(changed).map((o) => node(o, o.Name, [fields(o), objects(o)]));

function node(d, name, children) {
  return h("li", { class: d.Type }, line(d, h("strong", {}, name)), h("ul", {}, children));
}

const line = (d, ...content) => h("span", { class: "line" }, h("span", { class: "mark", role: "img", "aria-label": words[d.Type] }, marks[d.Type]), h("span", {}, content));

const fields = (d) => (d.Fields ?? []).filter(changed).map((f) => {
  const note = f.Annotations?.length ? h("span", { class: "note" }, ` (${f.Annotations.join(", ")})`) : "";
  if (/\n/.test(f.Old + f.New)) return h("li", { class: f.Type }, line(f, `${f.Name}:`, note), h("pre", {}, textDiff(f.Old, f.New)));
  return h("li", { class: f.Type }, line(f, `${f.Name}: `, value(f), note));
});

function value(f) {
  const text = (s) => h("code", {}, s === "" ? '""' : s);
  if (f.Type === "Added") return text(f.New);
  if (f.Type === "Deleted") return text(f.Old);
  return [h("code", { class: "old" }, f.Old === "" ? '""' : f.Old), " → ", text(f.New)];
}

// textDiff marks the lines that only one of two texts has.
export function textDiff(old, now) {
  const [a, b] = [old.split("\n"), now.split("\n")];
  if (a.length * b.length > 1e6) return [...a.map((l) => row("Deleted", l)), ...b.map((l) => row("Added", l))];
  const same = commonLengths(a, b);
  const rows = [];
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    if (i < a.length && j < b.length && a[i] === b[j]) rows.push(row("None", a[i++], j++));
    else if (j === b.length || (i < a.length && same[i + 1][j] >= same[i][j + 1])) rows.push(row("Deleted", a[i++]));
    else rows.push(row("Added", b[j++]));
  }
  return rows;
}

const row = (type, text) => h("span", { class: `row ${type}` }, `${marks[type] ?? " "} ${text}\n`);

// commonLengths[i][j] is how many lines a from i and b from j have in common.
function commonLengths(a, b) {
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      lengths[i][j] = a[i] === b[j] ? lengths[i + 1][j + 1] + 1 : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
  return lengths;
}
