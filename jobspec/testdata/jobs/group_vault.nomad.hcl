job "example" {
  datacenters = ["dc1"]

  group "app" {
    vault {
      role = "group"
    }

    task "inherits" {
      driver = "exec"
    }

    task "own" {
      driver = "exec"
      vault {
        role    = "own"
        cluster = "second"
      }
    }
  }
}
