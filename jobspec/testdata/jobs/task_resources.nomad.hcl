job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      resources {
        cpu        = 500
        memory     = 256
        memory_max = 512
        disk       = 300
        iops       = 10
        secrets    = 2
      }
    }
  }
}
