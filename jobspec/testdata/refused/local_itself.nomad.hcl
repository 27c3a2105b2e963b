locals {
  a = "${local.a}"
}

job "example" {
  
}
