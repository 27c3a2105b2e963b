variables {
  a = "default"
  b = "default"
  c = "default"
  d = "default"
}

job "example" {
  meta {
    a = var.a
    b = var.b
    c = var.c
    d = var.d
  }
}
