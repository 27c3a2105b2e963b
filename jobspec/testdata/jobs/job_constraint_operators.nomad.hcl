job "example" {
  constraint {
    attribute = "${meta.x}"
    operator  = "="
    value     = "v"
  }

  constraint {
    attribute = "${meta.x}"
    operator  = "!="
    value     = "v"
  }

  constraint {
    attribute = "${meta.x}"
    operator  = ">"
    value     = "v"
  }

  constraint {
    attribute = "${meta.x}"
    operator  = ">="
    value     = "v"
  }

  constraint {
    attribute = "${meta.x}"
    operator  = "<"
    value     = "v"
  }

  constraint {
    attribute = "${meta.x}"
    operator  = "<="
    value     = "v"
  }

  constraint {
    attribute = "${meta.x}"
    operator  = "regexp"
    value     = "v"
  }

  constraint {
    attribute = "${meta.x}"
    operator  = "set_contains"
    value     = "v"
  }

  constraint {
    attribute = "${meta.x}"
    operator  = "set_contains_all"
    value     = "v"
  }

  constraint {
    attribute = "${meta.x}"
    operator  = "set_contains_any"
    value     = "v"
  }

  constraint {
    attribute = "${meta.x}"
    operator  = "version"
    value     = "v"
  }

  constraint {
    attribute = "${meta.x}"
    operator  = "semver"
    value     = "v"
  }

  constraint {
    attribute = "${meta.x}"
    operator  = "is_set"
    value     = "v"
  }

  constraint {
    attribute = "${meta.x}"
    operator  = "is_not_set"
    value     = "v"
  }

  constraint {
    attribute = "${meta.x}"
    operator  = "distinct_hosts"
    value     = "v"
  }

  constraint {
    attribute = "${meta.x}"
    operator  = "distinct_property"
    value     = "v"
  }
}
