job "example" {
  affinity {
    attribute = "${meta.x}"
    value     = "v"
    weight    = 50
  }

  affinity {
    attribute = "${meta.x}"
    operator  = "!="
    value     = "v"
    weight    = -100
  }

  affinity {
    attribute = "${meta.x}"
    version   = "> 1"
  }

  affinity {
    attribute = "${meta.x}"
    semver    = "> 1.0.0"
  }

  affinity {
    attribute = "${meta.x}"
    regexp    = "a.*"
  }

  affinity {
    attribute    = "${meta.x}"
    set_contains = "a,b"
  }

  affinity {
    attribute        = "${meta.x}"
    set_contains_all = "a,b"
  }

  affinity {
    attribute        = "${meta.x}"
    set_contains_any = "a,b"
  }

  affinity {
    attribute = "${meta.x}"
    weight    = 300
  }

  affinity {
    attribute = "${meta.x}"
    weight    = 1.9
  }

  affinity {
    attribute = "${meta.x}"
    weight    = "25"
  }
}
