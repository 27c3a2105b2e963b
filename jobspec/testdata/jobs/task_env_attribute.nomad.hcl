job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      env = {
        "dotted.key"    = "v"
        "with-dash"     = 2
        (upper("made")) = "x"
      }
    }
  }
}
