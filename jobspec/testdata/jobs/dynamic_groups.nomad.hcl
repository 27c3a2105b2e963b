job "example" {
  dynamic "group" {
    for_each = ["a", "b"]
    labels   = ["g-${group.value}"]

    content {
      count = group.key

      task "t" {
        driver = "docker"

        config {
          image = "img:${group.value}"

          labels {
            index = group.key
          }
        }

        env {
          NAME = group.value
          RUN  = NOMAD_TASK_NAME
        }

        meta = { key = group.key }
      }
    }
  }
}
