variable "p" {}

job "example" {
  priority = var.p
}
