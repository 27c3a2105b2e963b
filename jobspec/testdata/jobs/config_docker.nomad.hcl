job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      config {
        image          = "nginx:1.27"
        ports          = ["http"]
        args           = ["-c", "${NOMAD_TASK_DIR}/nginx.conf", 5, true]
        auth_soft_fail = true

        auth {
          username = "u"
          password = "p"
        }

        labels {
          team = "web"
        }

        labels {
          tier = "front"
        }

        logging {
          type = "json-file"

          config {
            max-size = "10m"
          }
        }

        mount {
          type     = "bind"
          source   = "local"
          target   = "/etc/app"
          readonly = true

          bind_options {
            propagation = "rshared"
          }
        }

        mount {
          type = "volume"

          volume_options {
            driver_config {
              name = "pxd"

              options {
                size = "10"
              }
            }
          }
        }

        ulimit {
          nofile = "2048:4096"
        }

        sysctl = {
          "net.core.somaxconn" = "16384"
        }
      }
    }
  }
}
