job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      config {
        mounts = [
          { type = "tmpfs", target = "/a", tmpfs_options = { size = 1000 } },
          { type = "bind", target = "/b" },
        ]
        devices = [{ host_path = "/dev/a" }]
      }
    }
  }
}
