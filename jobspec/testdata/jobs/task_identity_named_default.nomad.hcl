job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      identity {
        name = "x"
      }

      identity {
        name = "default"
        env  = true
      }

      identity {}
    }
  }
}
