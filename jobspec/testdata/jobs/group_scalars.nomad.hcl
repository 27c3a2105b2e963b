job "example" {
  datacenters = ["dc1"]

  group "app" {
    count                        = 3
    shutdown_delay               = "6s"
    max_run_duration             = "1h30m"
    stop_after_client_disconnect = "1m"
    max_client_disconnect        = "12h"
    prevent_reschedule_on_lost   = true
  }
}
