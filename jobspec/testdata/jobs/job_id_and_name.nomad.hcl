job "example" {
  id   = "a"
  name = "b"
}
