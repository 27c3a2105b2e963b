job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      volume_mount {
        volume           = "data"
        destination      = "/data"
        read_only        = true
        propagation_mode = "bidirectional"
        selinux_label    = "Z"
      }

      volume_mount {
        volume      = "b"
        destination = "/b"
      }
    }
  }
}
