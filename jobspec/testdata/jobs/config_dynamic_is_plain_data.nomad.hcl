job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      config {
        dynamic "mount" {
          for_each = [1]
          content {
            type = "bind"
          }
        }
      }
    }
  }
}
