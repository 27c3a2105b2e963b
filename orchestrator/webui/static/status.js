// Statuses: one word each, and one of five tones that colour goes with.

import { h } from "./dom.js";

const tones = {
  ok: ["running", "healthy", "successful", "complete", "ready", "passing", "success", "eligible", "stable"],
  busy: ["deploying", "starting", "pending", "restarting", "initializing", "unblocking"],
  warn: ["degraded", "awaits promotion", "paused", "blocked", "draining", "unknown", "disconnected", "canary", "queued"],
  bad: ["failed", "failing", "lost", "unhealthy", "down", "failure"],
};
const toneOf = new Map(Object.entries(tones).flatMap(([tone, words]) => words.map((word) => [word, tone])));

// badge shows a status: a mark in its colour, and its word.
export const badge = (word, title) => h("span", { class: `badge ${toneOf.get(word) ?? "idle"}`, title }, word);

const is = (status) => (alloc) => alloc.ClientStatus === status;
const active = (alloc) => alloc.ClientStatus === "running" || alloc.ClientStatus === "pending";

// jobState sums up a job of /v1/jobs/statuses in one word.
export function jobState(job) {
  const allocs = job.Allocs ?? [];
  const deployment = job.LatestDeployment;
  if (job.Stop) return "stopped";
  if (job.ChildStatuses) return job.Status === "running" ? "ready" : job.Status;
  if (deployment?.IsActive) return deploying(allocs, deployment);
  if (job.Status === "dead") return allocs.some(is("failed")) && !allocs.some(is("complete")) ? "failed" : "complete";
  const running = allocs.filter(is("running")).length;
  if (job.Type === "system" || job.Type === "sysbatch") return running ? "running" : job.Status;
  if (job.GroupCountSum === 0) return "scaled to 0";
  if (running >= job.GroupCountSum) return "running";
  if (job.Type === "batch" && allocs.some(active)) return "running";
  if (running) return "degraded";
  if (allocs.some(is("failed"))) return "failing";
  return "pending";
}

function deploying(allocs, deployment) {
  if (deployment.Status === "paused") return "paused";
  if (!deployment.RequiresPromotion || deployment.AllAutoPromote) return "deploying";
  const canaries = allocs.filter((a) => a.DeploymentStatus?.Canary && a.JobVersion === deployment.JobVersion && active(a));
  return canaries.length && canaries.every((a) => a.DeploymentStatus.Healthy) ? "awaits promotion" : "deploying";
}

export const jobStates = ["running", "deploying", "awaits promotion", "degraded", "failing", "failed", "pending", "paused", "ready", "complete", "scaled to 0", "stopped"];

// health is what an allocation is worth to its deployment.
export function health(alloc) {
  const healthy = alloc.DeploymentStatus?.Healthy;
  if (healthy === true) return badge("healthy");
  if (healthy === false) return badge("unhealthy");
  return "–";
}

export function nodeState(node) {
  if (node.Status !== "ready") return node.Status;
  if (node.Drain) return "draining";
  return node.SchedulingEligibility === "ineligible" ? "ineligible" : "ready";
}
