variable "a" {
  type = bool
}

job "example" {
  
}
