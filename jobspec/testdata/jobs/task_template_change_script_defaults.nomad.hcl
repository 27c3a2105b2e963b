job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      template {
        data        = "x"
        destination = "y"
        change_script {
          command = "reload"
        }
      }
    }
  }
}
