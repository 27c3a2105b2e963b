job "example" {
  group "app" {
    secret "shared" {
      provider = "nomad"
      path     = "shared"
    }

    task "server" {
      driver = "docker"

      secret "own" {
        provider = "nomad"
        path     = "own"
      }
    }
  }
}
