// What the page can do to jobs, deployments and allocations.

import { get, jobPath, put, query, request } from "./api.js";
import { ask } from "./dialog.js";
import { h } from "./dom.js";
import { ago, commitOf, short } from "./format.js";

const ofDeployment = (d) => ({ id: d.JobID, namespace: d.Namespace });

export function promote(d) {
  ask({
    title: `Promote version ${d.JobVersion} of ${d.JobID}?`,
    body: h("p", {}, "Its canaries take over, and the allocations of the older version are replaced."),
    action: "Promote",
    run: async () => {
      await put(`/v1/deployment/promote/${d.ID}${query({ namespace: d.Namespace })}`, { DeploymentID: d.ID, All: true });
      return `Version ${d.JobVersion} of ${d.JobID} is promoted.`;
    },
  });
}

export function fail(d) {
  const back = Object.values(d.TaskGroups ?? {}).some((g) => g.AutoRevert);
  ask({
    title: `Fail the deployment of version ${d.JobVersion} of ${d.JobID}?`,
    body: h("p", {}, back ? "The job goes back to its last stable version." : "Nothing more of this version is placed. What runs, goes on: the job is not reverted by itself."),
    action: "Fail the deployment",
    danger: true,
    run: async () => {
      const reply = await put(`/v1/deployment/fail/${d.ID}${query({ namespace: d.Namespace })}`, { DeploymentID: d.ID });
      const version = reply?.RevertedJobVersion;
      return version === null || version === undefined ? `Deployment ${short(d.ID)} failed.` : `Deployment ${short(d.ID)} failed; ${d.JobID} is reverted to version ${version}.`;
    },
  });
}

// revert asks for the version to go back to. The newest stable one that is not
// the current one is chosen already, unless another is wished for.
export async function revert(job, wished) {
  const { Versions: versions } = await get(jobPath(job, "/versions"));
  const [current, ...older] = versions;
  let chosen = wished ?? (older.find((v) => v.Stable) ?? older[0])?.Version;
  if (chosen === undefined) return ask({
    title: `${job.id} has one version only`, body: h("p", {}, "There is nothing to go back to."), action: "Close", run: async () => "",
  });
  const choice = (v, draw) => h("label", { class: "choice", key: v.Version },
    h("input", { type: "radio", name: "version", checked: v.Version === chosen, onchange: () => { chosen = v.Version; draw(); } }),
    h("span", {}, `Version ${v.Version}`, v.Stable ? ", stable" : "", commitOf(v) && h("code", {}, short(commitOf(v)))),
    h("span", { class: "muted" }, ago(v.SubmitTime)));
  ask({
    title: `Revert ${job.id}`,
    body: (draw) => h("div", {},
      h("p", {}, `Version ${current.Version} runs now. The chosen one is deployed again, as a new version.`),
      h("fieldset", {}, h("legend", {}, "Go back to"), older.map((v) => choice(v, draw)))),
    action: "Revert",
    danger: true,
    run: async () => {
      await put(jobPath(job, "/revert"), { JobID: job.id, JobVersion: chosen, EnforcePriorVersion: current.Version });
      return `${job.id} goes back to version ${chosen}.`;
    },
  });
}

export const revertDeployment = (d) => revert(ofDeployment(d));

export function stopJob(job) {
  ask({
    title: `Stop ${job.id}?`,
    body: h("p", {}, "All its allocations end. The job stays known, and can be started again."),
    action: "Stop the job",
    danger: true,
    run: async () => {
      await request(jobPath(job), { method: "DELETE" });
      return `${job.id} is being stopped.`;
    },
  });
}

export function startJob(job, version) {
  ask({
    title: `Start ${job.id} again?`,
    body: h("p", {}, `Version ${version} is deployed as it was.`),
    action: "Start the job",
    run: async () => {
      const { Versions: versions } = await get(jobPath(job, "/versions"));
      const definition = { ...versions[0], Stop: false };
      await put(`/v1/jobs${query({ namespace: job.namespace })}`, { Job: definition, EnforceIndex: true, JobModifyIndex: definition.JobModifyIndex });
      return `${job.id} is started again.`;
    },
  });
}

export function restartAlloc(alloc) {
  ask({
    title: `Restart ${alloc.Name}?`,
    body: h("p", {}, "Its running tasks end, and start again in the same place."),
    action: "Restart",
    run: async () => {
      await put(`/v1/client/allocation/${alloc.ID}/restart${query({ namespace: alloc.Namespace })}`, {});
      return `${alloc.Name} restarts.`;
    },
  });
}

export function stopAlloc(alloc) {
  ask({
    title: `Stop allocation ${short(alloc.ID)}?`,
    body: h("p", {}, `${alloc.Name} ends here, and is placed anew.`),
    action: "Stop the allocation",
    danger: true,
    run: async () => {
      await put(`/v1/allocation/${alloc.ID}/stop${query({ namespace: alloc.Namespace })}`, {});
      return `${alloc.Name} is being stopped.`;
    },
  });
}
