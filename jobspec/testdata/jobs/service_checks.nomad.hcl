job "example" {
  datacenters = ["dc1"]

  group "app" {
    network {
      mode = "bridge"
    }

    service {
      name     = "web"
      provider = "nomad"

      check {
        name                     = "alive"
        type                     = "http"
        path                     = "/health"
        method                   = "POST"
        body                     = "{}"
        protocol                 = "https"
        port                     = "http"
        interval                 = "10s"
        timeout                  = "2s"
        initial_status           = "warning"
        tls_server_name          = "example.org"
        tls_skip_verify          = true
        notes                    = "see runbook"
        address_mode             = "alloc"
        advertise                = "1.1.1.1"
        expose                   = true
        success_before_passing   = 2
        failures_before_critical = 3
        failures_before_warning  = 1
        on_update                = "ignore"

        header {
          Authorization = ["Basic abc"]
          X-Many        = ["a", "b", 3]
        }

        check_restart {
          limit = 2
          grace = "10s"
        }
      }

      check {
        type     = "script"
        command  = "/bin/check"
        args     = ["-v", "${NOMAD_IP_http}"]
        task     = "server"
        interval = "5s"
        timeout  = "1s"
      }

      check {
        type         = "grpc"
        grpc_service = "svc"
        grpc_use_tls = true
        interval     = 1000000000
        timeout      = "500ms"
      }

      check {}
    }
  }
}
