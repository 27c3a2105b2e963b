job "example" {
  datacenters = ["dc1"]

  group "app" {
    scaling {
      max     = 1
      type    = "horizontal"
      enabled = false
    }
  }
}
