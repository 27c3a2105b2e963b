variable "a" {
  type = number
}

job "example" {
  
}
