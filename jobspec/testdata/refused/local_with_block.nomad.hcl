locals {
  a {}
}

job "example" {
  
}
