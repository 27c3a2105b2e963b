job "example" {
  update {
    canary       = 1
    auto_promote = true
    auto_revert  = true
  }

  group "app" {
    count = 2

    constraint {
      distinct_hosts = true
    }

    network {
      port "admin" {
        static = 9000
      }
    }

    task "server" {
      driver = "docker"

      config {
        image = "registry:5000/redis:7.2"
      }

      artifact {
        source = "s3::https://s3.amazonaws.com/builds/app-1a2b3c4.zip"

        options {
          aws_access_key_id = "id"
        }
      }
    }
  }
}
