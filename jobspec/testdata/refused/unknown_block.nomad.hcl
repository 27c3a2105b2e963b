job "example" {
  group "app" {
    task "server" {
      confg {
        image = "x"
      }
    }
  }
}
