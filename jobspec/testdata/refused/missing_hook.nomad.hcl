job "example" {
  group "app" {
    task "server" {
      lifecycle {
        sidecar = true
      }
    }
  }
}
