job "example" {
  meta {
    a = templatefile("x", {})
  }
}
