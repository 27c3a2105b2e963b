job "example" {
  group "app" {
    task "server" {
      config {}
      config {}
    }
  }
}
