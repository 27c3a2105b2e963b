job "example" {
  datacenters = ["dc1"]

  group "app" {
    network {
      port "ssh" {
        static = 22
      }
    }
  }
}
