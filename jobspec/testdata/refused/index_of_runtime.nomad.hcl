job "example" {
  meta {
    a = foo[bar]
  }
}
