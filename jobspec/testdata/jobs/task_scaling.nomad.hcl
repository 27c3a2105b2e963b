job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      scaling "cpu" {
        enabled = true
        min     = 50
        max     = 500
        policy {
          cooldown = "5m"

          check "95pct" {
            strategy "app-sizing-percentile" {
              percentile = "95"
            }
          }
        }
      }

      scaling "mem" {
        max  = 1024
        type = "vertical_mem"
      }
    }
  }
}
