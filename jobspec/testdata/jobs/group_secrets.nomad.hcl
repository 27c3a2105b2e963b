job "example" {
  datacenters = ["dc1"]

  group "app" {
    secret "a" {
      provider = "nomad"
      path     = "a"
      config {
        namespace = "n"
      }
    }

    secret "b" {
      provider = "vault"
    }

    task "t" {
      driver = "exec"
    }

    task "u" {
      driver = "exec"
    }
  }
}
