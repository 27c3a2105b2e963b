job "example" {
  datacenters = ["dc1"]

  group "app" {
    migrate {
      max_parallel     = 1
      health_check     = "checks"
      min_healthy_time = "10s"
      healthy_deadline = "5m"
    }
  }
}
