variable "a" {
  type = number

  validation {
    condition     = var.a > 3
    error_message = "Larger, please."
  }
}

job "example" {
  
}
