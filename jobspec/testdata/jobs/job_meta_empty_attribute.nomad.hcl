job "example" {
  meta = {}
}
