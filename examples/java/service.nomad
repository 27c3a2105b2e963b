# Two JVMs. A new version begins with one canary beside them.

job "java-service" {
  datacenters = ["[[.datacenter]]"]
  type        = "service"

  meta {
    git_sha = "[[.BB_COMMIT]]"
  }

  update {
    canary            = 1
    max_parallel      = 1
    health_check      = "checks"
    min_healthy_time  = "1s"
    healthy_deadline  = "2m"
    progress_deadline = "5m"
    auto_revert       = true
  }

  group "web" {
    count = 2

    # Who has just looked into the catalogue is still served.
    shutdown_delay = "2s"

    network {
      port "http" {}
    }

    service {
      name        = "java-service"
      port        = "http"
      provider    = "nomad"
      tags        = ["live"]
      canary_tags = ["canary"]

      check {
        type     = "http"
        path     = "/"
        interval = "2s"
        timeout  = "2s"
      }
    }

    task "server" {
      driver = "java"

      artifact {
        source      = "[[ artifactURL "java-service" ]]"
        destination = "local"
      }

      config {
        jar_path    = "local/service.jar"
        jvm_options = ["-Xmx64m", "-XX:+UseSerialGC"]
        args        = ["[[.BB_COMMIT]]"]
      }

      resources {
        cpu    = 200
        memory = 256
      }
    }
  }
}
