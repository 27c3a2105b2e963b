job "example" {
  group "app" {
    task "server" {
      config = {
        image = "x"
      }
    }
  }
}
