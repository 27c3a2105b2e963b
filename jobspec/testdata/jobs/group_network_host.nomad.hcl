job "example" {
  datacenters = ["dc1"]

  group "app" {
    network {
      mode   = "host"
      device = "eth1"
      cidr   = "10.0.0.0/8"
      ip     = "10.1.1.1"
      mbits  = 20
    }
  }
}
