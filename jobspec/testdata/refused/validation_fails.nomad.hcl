variable "a" {
  default = "x"

  validation {
    condition     = var.a == "y"
    error_message = "It must be y."
  }
}

job "example" {
  
}
