variables {
  image = "nginx"
  tag   = 1
  ports = [80, 443]
}

job "example" {
  meta {
    a = "${var.image}:${var.tag}"
    b = length(var.ports)
  }
}
