job "example" {
  vault {
    env = false
  }

  task "t" {
    driver = "exec"
  }
}
