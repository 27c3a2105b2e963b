job "example" {
  group "app" {
    task "server" {
      action "a" {}
    }
  }
}
