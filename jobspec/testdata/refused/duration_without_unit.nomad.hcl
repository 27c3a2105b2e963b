job "example" {
  group "app" {
    task "server" {
      kill_timeout = "30"
    }
  }
}
