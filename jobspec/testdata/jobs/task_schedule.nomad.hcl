job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      schedule {
        cron {
          start    = "0 8 * * * *"
          end      = "0 18"
          timezone = "UTC"
        }
      }
    }
  }
}
