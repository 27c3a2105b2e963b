job "example" {
  datacenters = ["dc1"]

  group "app" {
    constraint {
      attribute = "${attr.cpu.arch}"
      value     = "amd64"
    }

    affinity {
      attribute = "${node.class}"
      value     = "fast"
      weight    = 10
    }

    spread {
      attribute = "${node.unique.id}"
      weight    = 50
    }
  }
}
