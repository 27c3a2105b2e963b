job "example" {
  dynamic "constraint" {
    for_each = ["amd64", "arm64"]
    content {
      attribute = "${attr.cpu.arch}"
      operator  = "!="
      value     = constraint.value
    }
  }

  dynamic "meta" {
    for_each = [1]
    content {
      n = meta.value
    }
  }

  dynamic "task" {
    for_each = ["solo"]
    labels   = [task.value]
    content {
      driver = "exec"
    }
  }
}
