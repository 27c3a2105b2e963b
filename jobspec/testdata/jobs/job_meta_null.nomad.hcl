job "example" {
  meta = null
}
