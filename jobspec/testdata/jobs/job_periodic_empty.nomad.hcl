job "example" {
  periodic {}
}
