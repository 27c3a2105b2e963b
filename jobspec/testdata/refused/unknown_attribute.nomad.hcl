job "example" {
  group "app" {
    task "server" {
      driver = "docker"
      usr = "nobody"
    }
  }
}
