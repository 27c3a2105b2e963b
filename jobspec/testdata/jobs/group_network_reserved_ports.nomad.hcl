job "example" {
  datacenters = ["dc1"]

  group "app" {
    network {
      reserved_ports "a" {
        static = 70
      }
    }
  }
}
