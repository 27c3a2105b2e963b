job "example" {
  datacenters = ["dc1"]

  group "app" {
    network {
      mode = "bridge"
    }

    service {
      name = "api"
      port = 9001

      connect {
        sidecar_service {
          tags                      = ["proxy"]
          port                      = "9002"
          disable_default_tcp_check = true

          meta {
            a = "b"
          }

          proxy {
            local_service_address = "127.0.0.1"
            local_service_port    = 9001

            config {
              protocol = "http"

              nested {
                x = [{ y = 1 }]
              }
            }

            expose {
              path {
                path            = "/metrics"
                protocol        = "http"
                local_path_port = 9001
                listener_port   = "metrics"
              }
            }

            upstreams {
              destination_name       = "db"
              destination_type       = "service"
              destination_namespace  = "n"
              destination_peer       = "peer"
              destination_partition  = "part"
              datacenter             = "dc2"
              local_bind_port        = 5432
              local_bind_address     = "127.0.0.1"
              local_bind_socket_path = "/tmp/s"
              local_bind_socket_mode = "0700"

              mesh_gateway {
                mode = "local"
              }

              config {
                connect_timeout_ms = 5000
              }
            }

            upstreams {
              destination_name = "cache"
              local_bind_port  = 6379
            }

            transparent_proxy {
              uid                    = "101"
              outbound_port          = 15001
              exclude_inbound_ports  = ["www", 9000]
              exclude_outbound_ports = [443, 80]
              exclude_outbound_cidrs = ["10.0.0.0/8"]
              exclude_uids           = ["10", "11"]
              no_dns                 = true
            }
          }
        }

        sidecar_task {
          name           = "envoy"
          driver         = "docker"
          user           = "root"
          kill_timeout   = "5s"
          kill_signal    = "SIGINT"
          shutdown_delay = "2s"

          config {
            image = "envoyproxy/envoy:v1"
            labels {
              a = "b"
            }
          }

          env {
            FOO = "abc"
          }

          meta {
            m = "n"
          }

          resources {
            cpu    = 300
            memory = 128
          }

          logs {
            max_files     = 2
            max_file_size = 2
          }

          volume_mount {
            volume      = "v"
            destination = "/v"
          }

          identity {
            name = "side"
            aud  = ["x"]
          }
        }
      }
    }
  }
}
