job "example" {
  group = {
  }
}
