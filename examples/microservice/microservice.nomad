# Two containers, each on a free port of the host.

job "microservice" {
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
    progress_deadline = "2m"
    auto_revert       = true
  }

  group "web" {
    count = 2

    # Who has just looked into the catalogue is still served.
    shutdown_delay = "2s"

    restart {
      attempts = 2
      interval = "1m"
      delay    = "1s"
      mode     = "fail"
    }

    reschedule {
      attempts  = 0
      unlimited = false
    }

    network {
      port "http" {
        to = 8080
      }
    }

    service {
      name     = "microservice"
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
      driver = "docker"

      config {
        image = "ostro-example-microservice:[[.BB_COMMIT]]"
        ports = ["http"]
      }

      resources {
        cpu    = 100
        memory = 64
      }
    }
  }
}
