job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      constraint {
        attribute = "${attr.vault.version}"
        semver    = ">= 1.0"
      }

      affinity {
        attribute = "${node.class}"
        value     = "a"
      }
    }
  }
}
