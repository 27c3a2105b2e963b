job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      leader = "true"
      template {
        source = true ? null : "x"
      }
      env {
        A = true ? "b" : null
      }
    }
  }
}
