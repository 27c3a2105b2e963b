variable "map" {
  type = map(string)
}

job "example" {
  meta = var.map
}
