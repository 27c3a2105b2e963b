variable "p" {
  type    = number
  default = 50

  validation {
    condition     = var.p > 0 && var.p <= 100
    error_message = "The priority is from 1 to 100."
  }

  validation {
    condition     = contains([50, 60], var.p)
    error_message = "Only 50 and 60."
  }
}

job "example" {
  priority = var.p
}
