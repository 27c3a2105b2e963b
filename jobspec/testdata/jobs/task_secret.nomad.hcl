job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      secret "app" {
        provider = "custom"
        path     = "a/b"
        config {
          key = 1
          nested {
            deep = true
          }
        }
        env {
          TOKEN = "x"
        }
      }
    }
  }
}
