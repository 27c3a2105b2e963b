job "example" {
  priority = var.p
}
