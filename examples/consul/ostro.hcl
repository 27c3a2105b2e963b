job "consul" {
  template = "consul.nomad"
}

# Fabio routes to what Consul knows.
job "fabio" {
  template   = "fabio.nomad"
  depends_on = ["consul"]
}

variables {
  datacenter = "dc1"
}
