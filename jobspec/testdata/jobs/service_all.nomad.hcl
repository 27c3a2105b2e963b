job "example" {
  datacenters = ["dc1"]

  group "app" {
    network {
      mode = "bridge"
    }

    service {
      name                = "web"
      port                = "http"
      tags                = ["a", "urlprefix-/${NOMAD_JOB_NAME}"]
      canary_tags         = ["canary"]
      enable_tag_override = true
      address_mode        = "driver"
      address             = "${attr.unique.platform.aws.public-hostname}"
      task                = "server"
      on_update           = "ignore_warnings"
      provider            = "consul"
      cluster             = "default"
      kind                = "api-gateway"

      meta {
        version = "1"
      }

      canary_meta {
        version = "2"
      }

      tagged_addresses {
        lan = "10.0.0.1"
        wan = "1.2.3.4"
      }

      weights {
        passing = 5
        warning = 1
      }

      identity {
        aud = ["consul.io"]
        ttl = "1h"
      }

      check_restart {
        limit           = 3
        grace           = "90s"
        ignore_warnings = true
      }
    }
  }
}
