job "example" {
  dynamic "group" {
    for_each = ["a"]
    labels   = [group.value]

    content {
      task "t" {
        driver = "docker"

        config {
          image = "redis"
        }
      }
    }
  }
}
