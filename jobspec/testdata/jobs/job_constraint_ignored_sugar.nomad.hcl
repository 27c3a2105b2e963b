job "example" {
  constraint {
    attribute        = "${meta.x}"
    is_set           = "yes"
    is_not_set       = "no"
    set_contains_all = "a"
    set_contains_any = "b"
  }
}
