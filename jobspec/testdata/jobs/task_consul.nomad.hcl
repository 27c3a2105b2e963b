job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      consul {
        cluster   = "c"
        namespace = "n"
        partition = "p"
      }
    }
  }
}
