// Figures and times as people read them.

import { h } from "./dom.js";

export const short = (id) => (id ?? "").slice(0, 8);

// Times of the API are in nanoseconds since 1970, or texts.
export function millis(time) {
  if (!time) return 0;
  const ms = typeof time === "number" ? time / 1e6 : Date.parse(time);
  return ms > 0 ? ms : 0;
}

const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

// span tells a duration in milliseconds by its largest unit.
export function span(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  for (const [name, size] of units) if (seconds >= size) return `${Math.floor(seconds / size)} ${name}`;
  return "0 s";
}

const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const dated = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });

// ago is a time as its distance from now, with the time itself on hovering.
export function ago(time) {
  const ms = millis(time);
  if (!ms) return "–";
  const distance = Date.now() - ms;
  return h("time", { datetime: new Date(ms).toISOString(), title: exact.format(ms) }, distance < 1500 ? "just now" : `${span(distance)} ago`);
}

// at is a time by the clock, with the day where it is not today.
export function at(time) {
  const ms = millis(time);
  if (!ms) return "–";
  const today = new Date(ms).toDateString() === new Date().toDateString();
  return h("time", { datetime: new Date(ms).toISOString(), title: exact.format(ms) }, (today ? clock : dated).format(ms));
}

export function bytes(n) {
  if (!n) return "0 B";
  const power = Math.min(4, Math.floor(Math.log2(n) / 10));
  const value = n / 1024 ** power;
  return `${value >= 100 || power === 0 ? Math.round(value) : value.toFixed(1)} ${["B", "KiB", "MiB", "GiB", "TiB"][power]}`;
}

export const plural = (n, one, many = one + "s") => `${n} ${n === 1 ? one : many}`;

// commitOf is the commit in the meta of a job, under the names that are in use.
export function commitOf(job) {
  const meta = job?.Meta ?? {};
  for (const name of ["git_sha", "commit", "git_commit", "BB_COMMIT"]) if (meta[name]) return meta[name];
  return "";
}
