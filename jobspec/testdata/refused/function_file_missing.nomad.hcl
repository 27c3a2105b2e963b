job "example" {
  meta {
    a = file("no-such-file")
  }
}
