job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      identity {
        env         = true
        file        = true
        filepath    = "secrets/me.jwt"
        change_mode = "restart"
      }

      identity {
        name          = "aws"
        aud           = ["sts"]
        ttl           = "1h"
        change_mode   = "signal"
        change_signal = "SIGHUP"
        service_name  = "web"
        extra_claims  = ["a"]
      }

      identity {
        name = "vault_default"
        aud  = ["vault.io"]
      }
    }
  }
}
