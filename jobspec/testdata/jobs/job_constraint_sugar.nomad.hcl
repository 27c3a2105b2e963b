job "example" {
  constraint {
    attribute = "${attr.driver.docker.version}"
    version   = ">= 20.10"
  }

  constraint {
    attribute = "${attr.nomad.version}"
    semver    = ">= 2.0.0"
  }

  constraint {
    attribute = "${node.unique.name}"
    regexp    = "^web-[0-9]+"
  }

  constraint {
    attribute    = "${meta.tags}"
    set_contains = "ssd,gpu"
  }

  constraint {
    distinct_hosts = true
  }

  constraint {
    distinct_hosts = false
  }

  constraint {
    distinct_hosts = "true"
  }

  constraint {
    distinct_property = "${meta.rack}"
    value             = 2
  }
}
