job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      env {
        A = "b"
        N = 1
        F = 2.50
        T = true
        X = "${NOMAD_PORT_http}"
      }
    }
  }
}
