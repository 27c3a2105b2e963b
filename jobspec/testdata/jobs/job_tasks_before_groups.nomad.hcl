job "example" {
  task "lonely" {
    driver = "exec"
  }

  group "real" {
    task "a" {
      driver = "exec"
    }
  }

  task "second" {
    driver = "docker"
    meta {
      x = "y"
    }
  }
}
