job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      config {
        gone = null
        kept {
          inner = null
        }
        object = { inner = null }
      }
    }
  }
}
