job "example" {
  vault {
    policies = ["read"]
  }

  group "app" {
    task "a" {
      driver = "exec"
    }

    task "b" {
      driver = "exec"
      vault {
        role = "b"
      }
    }
  }
}
