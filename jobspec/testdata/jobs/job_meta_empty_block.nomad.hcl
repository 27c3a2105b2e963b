job "example" {
  meta {}
}
