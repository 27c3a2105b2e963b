job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      dispatch_payload {
        file = "config.json"
      }
    }
  }
}
