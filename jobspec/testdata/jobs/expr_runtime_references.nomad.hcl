job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      env {
        BARE         = NOMAD_ALLOC_ID
        ATTR         = attr.kernel.name
        DASH         = attr.unique.network.ip-address
        INDEX        = env["HOME"]
        NUMBER       = device.list[0].name
        LEGACY       = device.list.0.name
        BLANKS       = "${NOMAD_JOB_ID}"
        BLANKS_AFTER = "${NOMAD_JOB_ID} ${node.class}"
        TRIM         = "a ${~NOMAD_X~} b"
        UPPER        = upper(attr.cpu.arch)
        COMPARE      = attr.cpu.arch == "amd64" ? "yes" : "no"
        MIXED        = "p-${meta.rack}-${node.unique.id}-s"
        ESCAPED      = "$${NOMAD_X} %%{ if }"
        NESTED       = "${"${NOMAD_X}"}"
        PAREN        = "${(NOMAD_X)}"
      }
    }
  }
}
