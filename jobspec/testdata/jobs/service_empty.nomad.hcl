job "example" {
  datacenters = ["dc1"]

  group "app" {
    network {
      mode = "bridge"
    }

    service {

    }
  }
}
