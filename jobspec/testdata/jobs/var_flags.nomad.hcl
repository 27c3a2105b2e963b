variable "text" {
  type = string
}
variable "number" {
  type = number
}
variable "flag" {
  type = bool
}
variable "list" {
  type = list(string)
}
variable "untyped" {}
variable "tuple" {
  type = tuple([string, object({ a = number })])
}
variable "from_default" {
  default = 1
}

job "example" {
  meta {
    a = var.text
    b = var.number + 1
    c = var.flag
    d = join(",", var.list)
    e = var.untyped
    f = jsonencode(var.tuple)
    g = var.from_default + 1
  }
}
