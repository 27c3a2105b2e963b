job "consul" {
  template = "consul.nomad"
}

# Fabio routes to what Consul knows.
job "fabio" {
  template   = "fabio.nomad"
  depends_on = ["consul"]
}

job "web" {
  template   = "web.nomad"
  depends_on = ["fabio"]
}

# The server of the example beside this one.
artifact "http-echo" {
  dir   = "../http-echo"
  build = ["go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-X main.commit=${commit}", "-o", "${build_dir}/http-echo", "."]
  files = ["${build_dir}/http-echo"]

  env {
    CGO_ENABLED = 0
  }
}

variables {
  datacenter  = "dc1"
  consul_port = 8500
  fabio_port  = 9999
  fabio_page  = 9998
}
