job "example" {
  datacenters = ["dc1"]

  group "app" {
    ephemeral_disk {
      migrate = true
      size    = 500
      sticky  = true
    }
  }
}
