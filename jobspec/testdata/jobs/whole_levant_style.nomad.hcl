# A service as it comes out of a template.
job "shop" {
  datacenters = ["dc1"]
  type        = "service"

  meta {
    git_sha = "1a2b3c4"
  }

  update {
    max_parallel     = 1
    canary           = 1
    auto_revert      = true
    auto_promote     = true
    min_healthy_time = "10s"
  }

  group "web" {
    count = 2

    network {
      port "http" {}
    }

    service {
      name = "shop"
      port = "http"

      check {
        type     = "http"
        path     = "/health"
        interval = "10s"
        timeout  = "2s"
      }
    }

    task "server" {
      driver = "raw_exec"

      artifact {
        source      = "s3::https://s3.eu-central-1.amazonaws.com/builds/shop_1a2b3c4.zip"
        destination = "local/app"

        options {
          aws_access_key_id     = "AKIA"
          aws_access_key_secret = "secret"
        }
      }

      config {
        command = "local/app/server"
        args    = ["-listen", "${NOMAD_ADDR_http}"]
      }

      env {
        RELEASE = "1a2b3c4"
      }

      resources {
        cpu    = 200
        memory = 128
      }
    }
  }
}
