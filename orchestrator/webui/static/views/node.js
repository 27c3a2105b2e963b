// One node.

import { allocTable } from "../allocs.js";
import { get } from "../api.js";
import { h } from "../dom.js";
import { at, bytes } from "../format.js";
import { facts, heading, section, table } from "../parts.js";
import { badge, nodeState } from "../status.js";

export default function node({ id }) {
  return {
    title: `Node ${id.slice(0, 8)}`,
    cares: (event) => event.Topic === "Node" ? event.Key === id : event.Topic === "Allocation" && event.Payload?.Allocation?.NodeID === id,
    async load(signal) {
      const path = `/v1/node/${encodeURIComponent(id)}`;
      const [found, allocs] = await Promise.all([get(path, { signal }), get(`${path}/allocations?namespace=*`, { signal })]);
      return { node: found, allocs: allocs.map((a) => ({ ...a, JobVersion: a.JobVersion ?? a.Job?.Version })) };
    },
    draw({ node: n, allocs }) {
      const attributes = n.Attributes ?? {};
      return [
        heading({ trail: [["Nodes", "/ui/clients"]], title: n.Name, beside: badge(nodeState(n), n.StatusDescription) }),
        section("Facts", facts([
          ["ID", h("code", {}, n.ID)], ["Address", n.HTTPAddr], ["Datacenter", n.Datacenter], ["Pool", n.NodePool], ["Class", n.NodeClass],
          ["Eligibility", n.SchedulingEligibility],
          ["CPU", `${n.NodeResources?.Cpu?.CpuShares ?? 0} MHz`], ["Memory", bytes((n.NodeResources?.Memory?.MemoryMB ?? 0) * 1048576)],
          ["Disk", bytes((n.NodeResources?.Disk?.DiskMB ?? 0) * 1048576)],
          ["System", [attributes["os.name"], attributes["os.version"], attributes["cpu.arch"]].filter(Boolean).join(" ")],
          ["Drivers", Object.entries(n.Drivers ?? {}).filter(([, d]) => d.Healthy).map(([name]) => name).sort().join(", ")],
        ])),
        section("Allocations", allocTable(allocs, { withJob: true, empty: "Nothing has been placed here." })),
        section("Events", table([{ name: "When" }, { name: "Subsystem", class: "wide" }, { name: "What", class: "grow" }],
          [...(n.Events ?? [])].reverse().map((e, i) => ({ key: `${e.Timestamp} ${i}`, cells: [at(e.Timestamp), e.Subsystem, e.Message] })), "No events.")),
        Object.keys(n.Meta ?? {}).length > 0 && section("Meta", facts(Object.entries(n.Meta).sort())),
        h("details", { class: "panel", key: "attributes" }, h("summary", {}, "Attributes"), facts(Object.entries(attributes).sort())),
      ];
    },
  };
}
