job "example" {
  datacenters = ["dc1"]

  group "app" {
    network {
      mode     = "bridge"
      hostname = "${NOMAD_ALLOC_NAME}"

      port "http" {
        to = 8080
      }

      port "admin" {
        static           = 9000
        to               = 9001
        host_network     = "private"
        ignore_collision = true
      }

      port "any" {}

      dns {
        servers  = ["10.0.0.2", "${attr.unique.network.ip-address}"]
        searches = ["internal"]
        options  = ["ndots:2"]
      }
    }
  }
}
