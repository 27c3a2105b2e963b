job "example" {
  group "app" {
    task "server" {
      env {
        A {
          b = 1
        }
      }
    }
  }
}
