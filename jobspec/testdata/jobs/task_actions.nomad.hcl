job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      action "flush" {
        command = "/bin/flush"
        args    = ["--all", "${NOMAD_ALLOC_ID}"]
      }

      action "hello" {
        command = "echo"
      }
    }
  }
}
