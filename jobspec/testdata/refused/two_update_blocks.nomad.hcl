job "example" {
  update {}
  update {}
}
