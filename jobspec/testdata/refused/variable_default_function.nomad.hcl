variable "a" {
  default = upper("x")
}

job "example" {
  
}
