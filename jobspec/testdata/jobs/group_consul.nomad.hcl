job "example" {
  datacenters = ["dc1"]

  group "app" {
    consul {
      namespace = "n"
      cluster   = "c"
      partition = "p"
    }
  }
}
