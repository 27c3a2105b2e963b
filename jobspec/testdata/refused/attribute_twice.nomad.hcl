job "example" {
  type = "service"
  type = "batch"
}
