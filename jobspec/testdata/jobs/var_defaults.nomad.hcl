variable "text" {
  description = "some text"
  type        = string
  default     = "t"
}

variable "number" {
  type    = number
  default = "5"
}

variable "flag" {
  type    = bool
  default = true
}

variable "list" {
  type    = list(string)
  default = ["a", 1]
}

variable "map" {
  type    = map(string)
  default = { k = "v" }
}

variable "object" {
  type    = object({ port = number, name = string })
  default = { port = 80, name = "x", extra = 1 }
}

variable "untyped" {
  default = 1.5
}

job "example" {
  meta {
    a = var.text
    b = var.number
    c = var.flag
    d = join(",", var.list)
    e = var.map["k"]
    f = var.object.port
    g = var.untyped
  }
}
