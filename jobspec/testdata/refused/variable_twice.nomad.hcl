variable "a" {
  default = 1
}

variables {
  a = 2
}

job "example" {
  
}
