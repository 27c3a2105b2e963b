job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      env {
        A = cidrhost("10.0.0.0/8", 5)
        B = cidrnetmask("10.0.0.0/8")
        C = cidrsubnet("10.0.0.0/8", 8, 2)
        D = jsonencode(cidrsubnets("10.0.0.0/8", 8, 8))
      }
    }
  }
}
