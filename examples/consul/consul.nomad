# A Consul for one machine. Its state goes when it ends.

job "consul" {
  datacenters = ["[[.datacenter]]"]
  type        = "service"

  update {
    health_check      = "checks"
    min_healthy_time  = "1s"
    healthy_deadline  = "1m"
    progress_deadline = "2m"
  }

  group "consul" {
    network {
      port "http" {
        static = [[.consul_port]]
      }
    }

    service {
      name     = "consul-agent"
      port     = "http"
      provider = "nomad"

      check {
        type     = "http"
        path     = "/v1/status/leader"
        interval = "2s"
        timeout  = "2s"
      }
    }

    task "agent" {
      driver = "raw_exec"

      env {
        CHECKPOINT_DISABLE = "1" # it asks nobody for newer versions
      }

      config {
        command = "consul"
        args    = ["agent", "-dev", "-bind=127.0.0.1", "-client=127.0.0.1", "-http-port=${NOMAD_PORT_http}"]
      }

      resources {
        cpu    = 200
        memory = 256
      }
    }
  }
}
