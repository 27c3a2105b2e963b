variable "tag" {
  default = "1.2"
}

locals {
  full    = "${local.image}:${local.tag}"
  image   = "nginx"
  runtime = "${NOMAD_ALLOC_ID}-${attr.kernel.name}"
  shout   = upper(local.runtime)
}

locals {
  tag = var.tag
}

job "example" {
  meta {
    a = local.full
    b = local.runtime
    c = local.shout
  }
}
