job "example" {
  group "app" {
    task "server" {
      driver {
        name = "docker"
      }
    }
  }
}
