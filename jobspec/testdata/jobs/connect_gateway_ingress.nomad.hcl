job "example" {
  datacenters = ["dc1"]

  group "app" {
    network {
      mode = "bridge"
    }

    service {
      name = "ingress"
      port = "8080"

      connect {
        gateway {
          proxy {
            connect_timeout                     = "500ms"
            envoy_gateway_bind_tagged_addresses = true
            envoy_gateway_no_default_bind       = true
            envoy_dns_discovery_type            = "STRICT_DNS"

            envoy_gateway_bind_addresses "web" {
              address = "0.0.0.0"
              port    = 8080
            }

            envoy_gateway_bind_addresses "api" {
              address = "0.0.0.0"
              port    = 8081
            }

            config {
              a = 1
            }
          }

          ingress {
            tls {
              enabled         = true
              tls_min_version = "TLSv1_2"
              tls_max_version = "TLSv1_3"
              cipher_suites   = ["A", "B"]

              sds {
                cluster_name  = "c"
                cert_resource = "r"
              }
            }

            listener {
              port     = 8080
              protocol = "http"

              service {
                name                    = "web"
                hosts                   = ["example.org", "*.example.org"]
                max_connections         = 10
                max_pending_requests    = 20
                max_concurrent_requests = 30

                tls {
                  sds {
                    cluster_name  = "d"
                    cert_resource = "e"
                  }
                }

                request_headers {
                  add {
                    x-a = "1"
                  }
                  set {
                    x-b = "2"
                  }
                  remove = ["x-c"]
                }

                response_headers {
                  remove = ["x-d"]
                }
              }
            }

            listener {
              port     = 9090
              protocol = "tcp"
              service {
                name = "tcp"
              }
            }
          }
        }
      }
    }
  }
}
