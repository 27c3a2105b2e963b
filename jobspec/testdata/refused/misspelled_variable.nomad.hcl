variable "priority" {
  default = 1
}

job "example" {
  priority = var.priorty
}
