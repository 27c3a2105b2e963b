job "example" {
  group {
  }
}
