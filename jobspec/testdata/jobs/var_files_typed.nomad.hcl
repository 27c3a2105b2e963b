variable "map" {
  type = map(string)
}
variable "number" {
  type = number
}

job "example" {
  meta     = var.map
  priority = var.number
}
