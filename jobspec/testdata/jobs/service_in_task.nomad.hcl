job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      service {
        name = "${NOMAD_TASK_NAME}-${NOMAD_ALLOC_INDEX}"
        port = "http"
      }

      service {
        name = "second"
      }
    }
  }
}
