job "example" {
  datacenters = ["dc1"]

  group "app" {
    vault {
      role = "first"
    }

    vault {
      role = "second"
    }

    task "t" {
      driver = "exec"
    }
  }
}
