job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      artifact {
        source      = "https://example.org/app_${attr.cpu.arch}.zip"
        destination = "local/app"
        mode        = "dir"
        insecure    = true
        chown       = true

        options {
          checksum = "sha256:abc"
          archive  = false
          depth    = 1
        }

        headers {
          User-Agent = "nomad-[${NOMAD_JOB_ID}]-[${NOMAD_GROUP_NAME}]"
          X-Token    = "t"
        }
      }
    }
  }
}
