// All nodes.

import { get } from "../api.js";
import { h } from "../dom.js";
import { bytes, plural } from "../format.js";
import { heading, table } from "../parts.js";
import { nodeLink } from "../route.js";
import { badge, nodeState } from "../status.js";

export default function nodes() {
  return {
    title: "Nodes",
    cares: (event) => ["Node", "Allocation"].includes(event.Topic),
    async load(signal) {
      const [list, allocs] = await Promise.all([get("/v1/nodes?resources=true", { signal }), get("/v1/allocations?namespace=*&task_states=false", { signal })]);
      for (const node of list) node.running = allocs.filter((a) => a.NodeID === node.ID && a.ClientStatus === "running").length;
      return list.sort((a, b) => (a.Name < b.Name ? -1 : 1));
    },
    draw: (list) => [
      heading({ title: "Nodes", beside: h("span", { class: "muted" }, plural(list.length, "node")) }),
      h("section", { class: "panel", key: "list" }, table(
        [{ name: "Node", class: "grow" }, { name: "Status" }, { name: "Allocations", class: "number" }, { name: "CPU", class: "number wide" },
          { name: "Memory", class: "number wide" }, { name: "Pool", class: "wide" }, { name: "Datacenter", class: "wide" }, { name: "Address", class: "wide" }],
        list.map((n) => ({
          key: n.ID, cells: [
            [h("a", { class: "name", href: nodeLink(n.ID) }, n.Name), " ", h("code", { class: "muted", title: n.ID }, n.ID.slice(0, 8))],
            badge(nodeState(n), n.StatusDescription), n.running, `${n.NodeResources?.Cpu?.CpuShares ?? "–"} MHz`,
            bytes((n.NodeResources?.Memory?.MemoryMB ?? 0) * 1048576), n.NodePool, n.Datacenter, n.Address,
          ],
        })), "No node has registered. Jobs wait for one.")),
    ],
  };
}
