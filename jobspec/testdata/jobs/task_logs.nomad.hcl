job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      logs {
        max_files     = 5
        max_file_size = 20
        disabled      = true
      }
    }
  }
}
