variable "a" {
  default = var.b
}

job "example" {
  
}
