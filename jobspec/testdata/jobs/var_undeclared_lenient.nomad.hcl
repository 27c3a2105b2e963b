job "example" {
  meta {
    a = "b"
  }
}
