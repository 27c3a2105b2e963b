job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      artifact {
        source = "s3::https://s3.amazonaws.com/bucket/a.zip"
      }

      artifact {
        source = "git::git@github.com:org/repo"
        options {
          sshkey = "abc"
        }
      }
    }
  }
}
