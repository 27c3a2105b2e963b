job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      user           = "nobody"
      leader         = true
      kill_timeout   = "20s"
      kill_signal    = "SIGQUIT"
      shutdown_delay = "3s"
      kind           = "connect-proxy:web"
    }
  }
}
