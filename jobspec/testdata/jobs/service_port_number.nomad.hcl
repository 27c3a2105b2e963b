job "example" {
  datacenters = ["dc1"]

  group "app" {
    network {
      mode = "bridge"
    }

    service {
      port = 8080
      name = 5
    }
  }
}
