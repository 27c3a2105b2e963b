job "example" {
  group "app" {
    task "server" {
      driver = "docker"
      kil_timeout = "5s"
      leader = "maybe"
      
      resources {
        cpu = "fast"
        memry = 5
      }
      
      artefact {
      }
    }
  }
}
