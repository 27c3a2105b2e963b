job "example" {
  type = "sysbatch"

  group "clean" {
    task "sweep" {
      driver = "exec"
      config {
        command = "sweep"
      }
    }
  }
}
