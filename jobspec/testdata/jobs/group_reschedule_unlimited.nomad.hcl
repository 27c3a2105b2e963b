job "example" {
  datacenters = ["dc1"]

  group "app" {
    reschedule {
      delay          = "30s"
      delay_function = "constant"
      unlimited      = true
    }

    restart {
      attempts         = 10
      delay            = "25s"
      interval         = "5m"
      mode             = "delay"
      render_templates = true
    }
  }
}
