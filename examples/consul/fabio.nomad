# Fabio listens on every node and routes by the tags urlprefix-... in Consul.

job "fabio" {
  datacenters = ["[[.datacenter]]"]
  type        = "system"

  update {
    health_check      = "checks"
    min_healthy_time  = "1s"
    healthy_deadline  = "1m"
    progress_deadline = "2m"
  }

  group "fabio" {
    network {
      port "lb" {
        static = [[.fabio_port]]
      }
      port "ui" {
        static = [[.fabio_page]]
      }
    }

    service {
      name     = "fabio"
      port     = "ui"
      provider = "nomad"

      check {
        type     = "http"
        path     = "/health"
        interval = "2s"
        timeout  = "2s"
      }
    }

    task "fabio" {
      driver = "raw_exec"

      config {
        command = "fabio"
        args    = ["-registry.consul.addr=127.0.0.1:[[.consul_port]]", "-registry.consul.register.addr=127.0.0.1:${NOMAD_PORT_ui}", "-proxy.addr=127.0.0.1:${NOMAD_PORT_lb}", "-ui.addr=127.0.0.1:${NOMAD_PORT_ui}"]
      }

      resources {
        cpu    = 200
        memory = 128
      }
    }
  }
}
