variables {
  b = 1
}

variable "a" {
  default = "x"

  validation {
    condition     = var.b == 1
    error_message = "x"
  }
}

job "example" {
  
}
