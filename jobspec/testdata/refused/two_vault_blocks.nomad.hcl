job "example" {
  vault {}
  vault {}
}
