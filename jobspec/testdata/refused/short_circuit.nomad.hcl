job "example" {
  meta {
    a = true || 1 + "x" == 2
  }
}
