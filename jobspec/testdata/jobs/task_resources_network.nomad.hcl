job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      resources {
        network {
          mbits = 10
          port "http" {}
          port "db" {
            static = 5432
          }
        }
      }
    }
  }
}
