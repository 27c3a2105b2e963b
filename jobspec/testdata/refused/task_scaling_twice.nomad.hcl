job "example" {
  group "app" {
    task "server" {
      scaling "cpu" {}
      scaling "CPU" {}
    }
  }
}
