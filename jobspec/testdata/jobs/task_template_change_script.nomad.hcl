job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      template {
        data        = "x"
        destination = "y"
        change_mode = "script"
        change_script {
          command             = "/bin/reload"
          args                = ["-a", "${NOMAD_TASK_DIR}"]
          timeout             = "20s"
          fail_on_error       = true
          run_on_first_render = true
        }
      }
    }
  }
}
