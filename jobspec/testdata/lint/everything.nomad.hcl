job "example" {
  update {
    min_healthy_time = "10m"
    healthy_deadline = "5m"
    progress_deadline = "5m"
    canary = 1
    auto_revert = true
    max_parallel = 0
  }

  group "app" {
    count = 2
    max_client_disconnect = "1h"

    network {
      mbits = 10

      port "admin" {
        static = 9000
      }
    }

    task "server" {
      driver = raw_exec

      artifact {
        source = "https://example.org/a.zip"
      }

      artifact {
        source = "https://builds.s3.amazonaws.com/app-latest.zip"

        options {
          aws_access_key_id     = "id"
          aws_access_key_secret = "secret"
        }
      }

      vault {
        policies = ["read"]
      }

      template {
        data        = "x"
        destination = "y"
        vault_grace = "5s"
      }

      logs {
        enabled = false
      }

      resources {
        iops = 5

        network {
          port "http" {}
        }
      }
    }

    task "sidecar" {
      driver = "docker"

      config {
        image = "redis:latest"
      }
    }

    task "other" {
      driver = "docker"

      config {
        image = "registry:5000/redis"
      }
    }
  }
}
