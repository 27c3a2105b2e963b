job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      restart {
        attempts         = 0
        delay            = "1s"
        interval         = "1m"
        mode             = "fail"
        render_templates = false
      }
    }
  }
}
