// Addresses are those of Nomad's own page, so that `nomad ui` and old bookmarks
// lead to the right place.

const root = "/ui/";
const tabs = ["overview", "versions", "evaluations", "definition", "allocations", "deployments"];

// parse makes {name, ...} of an address, where name is that of a view.
export function parse(pathname) {
  const parts = pathname.slice(root.length).split("/").filter(Boolean).map(decode);
  const [kind, ...rest] = parts;
  switch (kind) {
    case undefined:
      return { name: "jobs" };
    case "jobs":
      if (!rest.length) return { name: "jobs" };
      return rest.length === 1 && rest[0] === "run" ? { name: "run" } : parseJob(rest);
    case "allocations":
      return rest.length ? { name: "alloc", id: rest[0], task: rest[1] } : { name: "jobs" };
    case "clients":
    case "nodes":
      return rest.length ? { name: "node", id: rest[0] } : { name: "nodes" };
    case "servers":
    case "topology":
      return { name: "nodes" };
    case "deployments":
      return { name: "deployments", id: rest[0] };
    case "settings":
      return { name: "token" };
  }
  return { name: "nowhere" };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

// parseJob reads ID[@NAMESPACE][/TAB]. An ID may hold slashes that nobody escaped.
function parseJob(parts) {
  const last = parts.at(-1);
  const tab = parts.length > 1 && tabs.includes(last) ? parts.pop() : "overview";
  const full = parts.join("/");
  const at = full.lastIndexOf("@");
  const [id, namespace] = at > 0 ? [full.slice(0, at), full.slice(at + 1)] : [full, "default"];
  return { name: "job", id, namespace: namespace || "default", tab: ["allocations", "deployments"].includes(tab) ? "overview" : tab };
}

export function jobLink(job, tab = "") {
  const at = job.namespace && job.namespace !== "default" ? "@" + job.namespace : "";
  // An ID that holds an @ or is the name of another page is told apart by its namespace.
  const clear = job.id.includes("@") || job.id === "run" ? "@" + (job.namespace || "default") : at;
  return `${root}jobs/${encodeURIComponent(job.id + clear)}${tab ? "/" + tab : ""}`;
}

export const allocLink = (id) => `${root}allocations/${encodeURIComponent(id)}`;
export const nodeLink = (id) => `${root}clients/${encodeURIComponent(id)}`;
