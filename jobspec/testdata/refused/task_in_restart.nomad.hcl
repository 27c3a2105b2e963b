job "example" {
  restart {}
}
