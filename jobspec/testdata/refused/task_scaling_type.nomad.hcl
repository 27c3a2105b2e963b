job "example" {
  group "app" {
    task "server" {
      scaling "cpu" {
        type = "vertical_mem"
      }
    }
  }
}
