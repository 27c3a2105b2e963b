locals {
  a = local.nope
}

job "example" {
  
}
