job "example" {
  datacenters = ["dc1"]

  group "app" {
    network {
      port "a" {
        to = -1
      }
    }

    network {
      mode = "none"
    }
  }
}
