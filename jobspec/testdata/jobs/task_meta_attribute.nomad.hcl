job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      meta = { "x.y" = "z" }
    }
  }
}
