job "example" {
  region      = null
  priority    = null
  datacenters = null
  type        = null
}
