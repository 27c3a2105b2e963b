// The tabs of a job: versions, evaluations, definition.

import { revert } from "./actions.js";
import { get, jobPath } from "./api.js";
import { diff } from "./diff.js";
import { h } from "./dom.js";
import { ago, at, commitOf, short } from "./format.js";
import { button, facts, section, table } from "./parts.js";
import { badge } from "./status.js";

export async function loadVersions(self, signal) {
  const { Versions, Diffs } = await get(jobPath(self, "/versions", { diffs: true }), { signal });
  return { versions: Versions, diffs: Diffs ?? [] };
}

export function versions({ versions: list, diffs }, self) {
  return list.map((v, i) => h("section", { class: "panel version", key: v.Version, "aria-label": `Version ${v.Version}` },
    h("div", { class: "title" },
      h("h2", {}, `Version ${v.Version}`),
      i === 0 && badge("current"), v.Stable && badge("stable"),
      v.VersionTag?.Name && h("span", { class: "tag" }, v.VersionTag.Name),
      commitOf(v) && h("code", { title: commitOf(v) }, short(commitOf(v))),
      h("span", { class: "muted" }, ago(v.SubmitTime)),
      h("div", { class: "actions" }, i > 0 && button("Revert to this…", () => revert(self, v.Version)))),
    v.Meta && facts(Object.entries(v.Meta).sort().map(([name, value]) => [name, h("code", {}, value)])),
    i < diffs.length && h("details", { open: i === 0 }, h("summary", {}, `What differs from version ${list[i + 1].Version}`), diff(diffs[i]))));
}

export function evaluations({ evals }) {
  return section("Evaluations", table(
    [{ name: "Evaluation" }, { name: "Status" }, { name: "Because of", class: "grow" }, { name: "Told", class: "wide" }, { name: "Placed all", class: "wide" }, { name: "When", class: "number" }],
    [...evals].sort((a, b) => b.CreateIndex - a.CreateIndex).map((e) => ({
      key: e.ID, cells: [h("code", { title: e.ID }, short(e.ID)), badge(e.Status), e.TriggeredBy, e.StatusDescription,
        e.Status === "complete" ? (Object.keys(e.FailedTGAllocs ?? {}).length ? "no" : "yes") : "–", at(e.CreateTime)],
    })), "No evaluation is kept."));
}

export async function loadDefinition(self, signal) {
  const job = await get(jobPath(self), { signal });
  // The text is kept for a job that came with one.
  const submission = await get(jobPath(self, "/submission", { version: job.Version }), { signal }).catch((error) => {
    if (error.status === 404) return null;
    throw error;
  });
  return { submission };
}

export function definition({ job, submission }) {
  return [
    submission && section("As it was written", h("pre", { class: "code", tabindex: "0" }, submission.Source),
      submission.Variables && [h("h3", {}, "Variables"), h("pre", { class: "code", tabindex: "0" }, submission.Variables)]),
    h("details", { class: "panel", key: "json", open: !submission }, h("summary", {}, "As the agent knows it (JSON)"),
      h("pre", { class: "code", tabindex: "0" }, JSON.stringify(job, null, 2))),
  ];
}
