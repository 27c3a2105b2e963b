// The agent's API, with the token of this tab.

const store = "ostro-token";

export const token = () => sessionStorage.getItem(store) ?? "";

// setToken keeps a token until the tab is closed; an empty one is forgotten.
export function setToken(text) {
  if (text) sessionStorage.setItem(store, text);
  else sessionStorage.removeItem(store);
}

// Refused is an answer of the agent that is an error.
export class Refused extends Error {
  constructor(status, text) {
    super(text || `The agent answers ${status}.`);
    this.status = status;
  }
}

// Gone is no answer at all.
export class Gone extends Error {}

// request gives the response of the agent, once it is no error.
export async function request(path, { method = "GET", body, signal } = {}) {
  const headers = {};
  if (token()) headers["X-Nomad-Token"] = token();
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, signal, cache: "no-store", body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    throw signal?.aborted ? error : new Gone("The agent does not answer.");
  }
  if (!response.ok) throw new Refused(response.status, (await response.text()).trim());
  return response;
}

export async function get(path, options) {
  const response = await request(path, options);
  try {
    return await response.json();
  } catch (error) {
    throw options?.signal?.aborted ? error : new Gone("The agent's answer broke off.");
  }
}

export async function put(path, body = {}) {
  const text = await (await request(path, { method: "PUT", body })).text();
  return text ? JSON.parse(text) : null;
}

export const del = (path) => request(path, { method: "DELETE" });

// query makes "?a=b&c=d" of what is set.
export function query(values) {
  const set = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return set.length ? "?" + new URLSearchParams(set) : "";
}

// jobPath is where the API has a job, or something of it.
export function jobPath(job, rest = "", values = {}) {
  return `/v1/job/${encodeURIComponent(job.id)}${rest}${query({ namespace: job.namespace, ...values })}`;
}

// lines reads a response line by line, each of them JSON.
export async function* lines(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const part of parts) if (part.trim()) yield JSON.parse(part);
  }
}
