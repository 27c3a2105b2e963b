job "example" {
  constraint {
    attribute = "${attr.kernel.name}"
    value     = "linux"
  }

  constraint {
    attribute = "${attr.cpu.numcores}"
    operator  = ">="
    value     = 4
  }

  constraint {}
}
