job "example" {
  datacenters = ["dc1"]

  group "app" {
    scaling {
      enabled = true
      min     = 1
      max     = 10

      policy {
        cooldown            = "1m"
        evaluation_interval = "30s"

        check "avg_sessions" {
          source = "prometheus"
          query  = "avg(sessions)"

          strategy "target-value" {
            target = 5
          }
        }

        check "cpu" {
          source = "nomad-apm"

          strategy "threshold" {
            upper_bound = 80.5
            delta       = -1
          }
        }

        target "aws-asg" {
          asg = { name = "workers", tags = ["a"] }
        }
      }
    }
  }
}
