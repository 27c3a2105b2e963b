job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      dynamic "env" {
        for_each = ["x"]
        iterator = e

        content {
          A    = e.value
          HOME = env["HOME"]
        }
      }

      dynamic "template" {
        for_each = setunion(["a"], ["b"])

        content {
          data        = template.value
          destination = "local/${template.key}"
        }
      }

      dynamic "config" {
        for_each = ["img"]

        content {
          image = config.value
        }
      }

      dynamic "artifact" {
        for_each = []

        content {
          source = artifact.value
        }
      }
    }
  }
}
