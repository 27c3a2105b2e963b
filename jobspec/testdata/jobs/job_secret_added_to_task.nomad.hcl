job "example" {
  secret "job" {
    provider = "nomad"
    path     = "p"
  }

  group "app" {
    task "a" {
      driver = "exec"
      secret "own" {
        provider = "nomad"
        path     = "q"
      }
    }
  }
}
