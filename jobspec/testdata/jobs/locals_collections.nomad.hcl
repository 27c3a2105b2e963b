locals {
  dcs  = [for n in range(2) : "dc${n}"]
  meta = merge(local.base, { extra = local["more"] })
  base = { a = 1 }
  more = "m"
}

job "example" {
  datacenters = local.dcs
  meta        = local.meta
}
