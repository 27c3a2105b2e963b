job "example" {
  datacenters = ["dc1"]

  group "app" {
    disconnect {
      lost_after           = "6h"
      stop_on_client_after = "2h"
      replace              = false
      reconcile            = "keep_original"
    }
  }
}
