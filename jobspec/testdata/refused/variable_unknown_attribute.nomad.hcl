variable "a" {
  defualt = 1
}

job "example" {
  
}
