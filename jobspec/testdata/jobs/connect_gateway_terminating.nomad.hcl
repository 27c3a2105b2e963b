job "example" {
  datacenters = ["dc1"]

  group "app" {
    network {
      mode = "bridge"
    }

    service {
      connect {
        gateway {
          terminating {
            service {
              name      = "legacy"
              ca_file   = "ca.pem"
              cert_file = "c.pem"
              key_file  = "k.pem"
              sni       = "legacy.example.org"
            }

            service {
              name = "other"
            }
          }
        }
      }
    }
  }
}
