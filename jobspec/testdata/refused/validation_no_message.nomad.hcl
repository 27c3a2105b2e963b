variable "a" {
  default = "x"

  validation {
    condition     = var.a == "x"
    error_message = " "
  }
}

job "example" {
  
}
