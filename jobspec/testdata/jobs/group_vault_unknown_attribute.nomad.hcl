job "example" {
  datacenters = ["dc1"]

  group "app" {
    vault {
      role    = "r"
      unknown = true
    }

    task "t" {
      driver = "exec"
    }
  }
}
