job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      config {
        x = 1
        x {
          y = 2
        }
      }
    }
  }
}
