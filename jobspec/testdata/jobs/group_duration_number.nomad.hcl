job "example" {
  datacenters = ["dc1"]

  group "app" {
    shutdown_delay = 5000000000
  }
}
