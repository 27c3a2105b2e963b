job "a" {
  type = "service
}
