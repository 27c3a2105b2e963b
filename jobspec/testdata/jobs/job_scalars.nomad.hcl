job "example" {
  region      = "eu"
  namespace   = "team"
  type        = "service"
  priority    = 70
  all_at_once = true
  datacenters = ["dc1", "dc2"]
  node_pool   = "gpu"
}
