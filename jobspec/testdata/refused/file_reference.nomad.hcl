variable "a" {
  type = list(string)
}

job "example" {
  
}
