job "example" {
  group "app" {
    task "server" {
      user = null
    }
  }
}
