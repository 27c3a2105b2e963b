# Three instances on different nodes, of which one at a time may move.

job "drain" {
  datacenters = ["[[.datacenter]]"]
  type        = "service"

  meta {
    git_sha = "[[.BB_COMMIT]]"
  }

  update {
    health_check      = "checks"
    min_healthy_time  = "1s"
    healthy_deadline  = "1m"
    progress_deadline = "2m"
  }

  spread {
    attribute = "${node.unique.id}"
  }

  group "web" {
    count = 3

    # Who has just looked into the catalogue is still served.
    shutdown_delay = "2s"

    migrate {
      max_parallel     = 1
      health_check     = "checks"
      min_healthy_time = "1s"
      healthy_deadline = "1m"
    }

    network {
      port "http" {}
    }

    service {
      name     = "drain"
      port     = "http"
      provider = "nomad"

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
        args    = ["-text", "node ${node.unique.name}"]
      }

      resources {
        cpu    = 100
        memory = 64
      }
    }
  }
}
