# Two instances. Of a new version the canaries come first, and the old version
# serves until somebody promotes them.

job "canary" {
  datacenters = ["[[.datacenter]]"]
  type        = "service"

  meta {
    git_sha = "[[.BB_COMMIT]]"
  }

  update {
    canary            = [[.canaries]]
    max_parallel      = 2
    health_check      = "checks"
    min_healthy_time  = "1s"
    healthy_deadline  = "1m"
    progress_deadline = "10m"
    auto_revert       = true
  }

  group "web" {
    count          = 2
    shutdown_delay = "2s"

    restart {
      attempts = 2
      interval = "1m"
      delay    = "1s"
      mode     = "fail"
    }

    network {
      port "http" {}
    }

    service {
      name        = "canary"
      port        = "http"
      provider    = "nomad"
      tags        = ["live"]
      canary_tags = ["canary"]

      check {
        type     = "http"
        path     = "/health"
        interval = "2s"
        timeout  = "2s"
      }
    }

    task "server" {
      driver = "raw_exec"

      artifact {
        source      = "[[ artifactURL "http-echo" ]]"
        destination = "local/bin"
      }

      config {
        command = "local/bin/http-echo"
        args    = ["-text", "instance ${NOMAD_ALLOC_NAME}"]
      }

      resources {
        cpu    = 100
        memory = 64
      }
    }
  }
}
