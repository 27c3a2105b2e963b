job "example" {
  group "app" {
    task "server" {
      action "a" {
        command = "x"
        args = "y"
      }
    }
  }
}
