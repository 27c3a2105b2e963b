variable "a" {
  type    = object({ x = optional(string) })
  default = {}
}

job "example" {
  
}
