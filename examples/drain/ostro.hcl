job "drain" {
  template = "service.nomad"
}

artifact "http-echo" {
  dir   = "../http-echo"
  build = ["go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-X main.commit=${commit}", "-o", "${build_dir}/http-echo", "."]
  files = ["${build_dir}/http-echo"]

  env {
    CGO_ENABLED = 0
  }
}

variables {
  datacenter = "dc1"
}
