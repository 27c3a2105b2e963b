job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      config {
        rule "in" "http" {
          port = 80
        }

        rule "in" "https" {
          port = 443
        }

        rule "out" {}
      }
    }
  }
}
