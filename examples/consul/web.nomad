# Two instances that Fabio routes to: whoever asks for /web at its port gets one of them.

job "web" {
  datacenters = ["[[.datacenter]]"]
  type        = "service"

  meta {
    git_sha = "[[.BB_COMMIT]]"
  }

  update {
    max_parallel      = 1
    health_check      = "checks"
    min_healthy_time  = "1s"
    healthy_deadline  = "1m"
    progress_deadline = "10m"
    auto_revert       = true
  }

  group "web" {
    count = 2

    # An instance that is to end leaves Consul first; Fabio turns to the others meanwhile.
    shutdown_delay = "2s"

    network {
      port "http" {}
    }

    service {
      name = "web"
      port = "http"
      tags = ["urlprefix-/web strip=/web"]

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
