// Run a job: it is planned first, and what was planned is what runs.

import { Refused, get, jobPath, put, query } from "../api.js";
import { diff } from "../diff.js";
import { say } from "../dialog.js";
import { h } from "../dom.js";
import { button, heading, table } from "../parts.js";
import { failures } from "../placement.js";
import { jobLink } from "../route.js";

const example = `job "hello" {
  group "web" {
    count = 2

    task "server" {
      driver = "raw_exec"

      config {
        command = "/bin/sh"
        args    = ["-c", "while true; do date; sleep 1; done"]
      }
    }
  }
}
`;

export default function run(_, app) {
  const asked = new URLSearchParams(location.search);
  const edited = asked.get("job") && { id: asked.get("job"), namespace: asked.get("namespace") || "default" };
  const at = { text: "", variables: "", busy: "", error: "", plan: null };

  const set = (change) => app.draw(Object.assign(at, change));

  // A change of the text makes the plan void.
  const edit = (change) => set({ ...change, plan: null, error: "" });

  async function attempt(busy, what) {
    set({ busy, error: "" });
    try {
      await what();
    } catch (error) {
      set({ error: error.message });
    }
    set({ busy: "" });
  }

  const plan = () => attempt("Planning…", async () => {
    const job = await parse(at.text, at.variables);
    const reply = await put(jobPath(idOf(job), "/plan"), { Job: job, Diff: true, PolicyOverride: false });
    set({ plan: { job, reply } });
    document.getElementById("plan")?.focus();
  });

  const register = () => attempt("Running…", async () => {
    const { job, reply } = at.plan;
    const isJSON = at.text.trim().startsWith("{");
    await put(`/v1/jobs${query({ namespace: job.Namespace })}`, {
      Job: job, EnforceIndex: true, JobModifyIndex: reply.JobModifyIndex,
      Submission: { Source: at.text, Format: isJSON ? "json" : "hcl2", Variables: at.variables },
    });
    say(`${job.ID} is registered.`);
    app.go(jobLink(idOf(job)));
  });

  return {
    title: "Run a job",
    cares: () => false,
    load: async (signal) => {
      if (edited && !at.text) Object.assign(at, await source(edited, signal));
      return true;
    },
    draw: () => [
      heading({ trail: [["Jobs", "/ui/jobs"]], title: edited ? `Edit ${edited.id}` : "Run a job" }),
      editor(at, edit, plan),
      at.error && h("section", { class: "panel failed", key: "error", role: "alert" }, h("h2", {}, "This did not work"), h("pre", {}, at.error)),
      at.plan && planned(at, register),
    ],
  };
}

const idOf = (job) => ({ id: job.ID, namespace: job.Namespace || "default" });

// parse makes a job of HCL or JSON, the latter with or without {"Job": ...} around it.
async function parse(text, variables) {
  if (!text.trim()) throw new Error("There is no job yet: write one above.");
  if (!text.trim().startsWith("{")) return put("/v1/jobs/parse", { JobHCL: text, Variables: variables, Canonicalize: true });
  const job = JSON.parse(text);
  return job.Job ?? job;
}

// source is the text that a job was made of, or the job in JSON.
async function source(job, signal) {
  const found = await get(jobPath(job), { signal });
  try {
    const submission = await get(jobPath(job, "/submission", { version: found.Version }), { signal });
    if (submission?.Source) return { text: submission.Source, variables: submission.Variables ?? "" };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
  }
  return { text: JSON.stringify({ Job: found }, null, 2) };
}

function editor(at, edit, plan) {
  return h("form", { class: "panel stack", key: "editor", onsubmit: (e) => { e.preventDefault(); plan(); } },
    h("label", { for: "job" }, "Job, in HCL or JSON"),
    h("textarea", { id: "job", class: "mono", rows: 16, spellcheck: "false", autocapitalize: "off", autocomplete: "off", wrap: "off", value: at.text,
      oninput: (e) => edit({ text: e.target.value }), onkeydown: (e) => { if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) plan(); } }),
    h("details", {}, h("summary", {}, "Variables"),
      h("label", { for: "variables", class: "hidden" }, "Variables"),
      h("textarea", { id: "variables", class: "mono", rows: 4, spellcheck: "false", placeholder: 'name = "value"', value: at.variables, oninput: (e) => edit({ variables: e.target.value }) })),
    h("div", { class: "actions" },
      h("button", { type: "submit", class: at.plan ? "" : "primary", disabled: Boolean(at.busy) }, "Plan"),
      !at.text && button("Start with an example", () => edit({ text: example })),
      h("span", { class: "muted", role: "status" }, at.busy)));
}

function planned(at, register) {
  const { reply } = at.plan;
  return h("section", { class: "panel", key: "plan", id: "plan", tabindex: "-1", "aria-label": "Plan" },
    h("h2", {}, reply.Diff?.Type === "Added" ? "Plan: a new job" : reply.Diff?.Type === "None" ? "Plan: nothing changes" : "Plan"),
    reply.Warnings && h("div", { class: "warning inset" }, h("strong", {}, "Warnings"), h("pre", {}, reply.Warnings)),
    effects(reply.Annotations?.DesiredTGUpdates ?? {}),
    failures(reply.FailedTGAllocs),
    // Of a new job all is new: that is long, and seldom read.
    reply.Diff?.Type === "Added" ? h("details", {}, h("summary", {}, "All that is new"), diff(reply.Diff)) : [h("h3", {}, "What differs"), diff(reply.Diff)],
    h("div", { class: "actions" },
      button("Run", register, { class: "primary", disabled: Boolean(at.busy) }),
      h("span", { class: "muted" }, "It runs only if nobody else has changed the job since this plan.")));
}

const kinds = [["Place", "place"], ["DestructiveUpdate", "replace"], ["InPlaceUpdate", "update in place"], ["Canary", "canaries"], ["Migrate", "migrate"], ["Stop", "stop"], ["Ignore", "leave alone"]];

function effects(groups) {
  const all = Object.entries(groups).sort(([a], [b]) => (a < b ? -1 : 1));
  const used = kinds.filter(([kind]) => all.some(([, n]) => n[kind] > 0));
  if (!used.length) return null;
  return table([{ name: "Group", class: "grow" }, ...used.map(([, name]) => ({ name, class: "number" }))],
    all.map(([name, n]) => ({ key: name, cells: [name, ...used.map(([kind]) => n[kind] || "–")] })), "");
}
