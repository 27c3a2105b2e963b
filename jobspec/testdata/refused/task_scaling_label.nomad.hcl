job "example" {
  group "app" {
    task "server" {
      scaling "disk" {
        max = 1
      }
    }
  }
}
