job "example" {
  datacenters = ["dc1"]

  group "app" {
    network {
      mode = "cni/mynet"
      cni {
        args = {
          "nomad.region" = "${node.region}"
          plain          = "v"
        }
      }
    }
  }
}
