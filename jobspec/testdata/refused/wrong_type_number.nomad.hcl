job "example" {
  group "app" {
    task "server" {
      resources {
        cpu = [1]
      }
    }
  }
}
