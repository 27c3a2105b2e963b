job "example" {
  group "app" {
    task "server" {
      env {
        A = [1]
      }
    }
  }
}
