job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      env = { for i, name in ["one", "two"] : "E_${upper(name)}" => i }
    }
  }
}
