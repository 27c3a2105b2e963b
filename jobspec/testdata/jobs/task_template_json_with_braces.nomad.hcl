job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      template {
        data        = "{\"a\": {\"b\": \"${NOMAD_ALLOC_ID}\"} }"
        destination = "x"
      }
    }
  }
}
