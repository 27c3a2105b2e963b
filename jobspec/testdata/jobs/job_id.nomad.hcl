job "example" {
  id = "other"
}
