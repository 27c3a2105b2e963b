# The same server as a service: two of it, wherever there is room.

job "http-echo" {
  datacenters = ["[[.datacenter]]"]
  type        = "service"

  meta {
    git_sha = "[[.BB_COMMIT]]"
  }

  update {
    max_parallel      = 1
    health_check      = "task_states"
    min_healthy_time  = "3s"
    healthy_deadline  = "1m"
    progress_deadline = "2m"
    auto_revert       = true
  }

  group "http-echo" {
    count = 2

    restart {
      attempts = 2
      interval = "1m"
      delay    = "1s"
      mode     = "fail"
    }

    # Without this, Nomad tries another node until progress_deadline has passed.
    reschedule {
      attempts  = 0
      unlimited = false
    }

    network {
      port "http" {}
    }

    task "server" {
      driver = "raw_exec"

      artifact {
        source      = "s3::https://[[ .s3_binary_path ]].s3.amazonaws.com/http-echo_[[ .BB_COMMIT ]].zip"
        destination = "local/bin"

        # Without keys, the node uses a role of its own.
        [[- if .aws_access_key_id ]]
        options {
          aws_access_key_id     = "[[ .aws_access_key_id ]]"
          aws_access_key_secret = "[[ .aws_secret_access_key ]]"
        }
        [[- end ]]
      }

      config {
        command = "local/bin/http-echo"
        args    = ["-text", "hello from port ${NOMAD_PORT_http}"]
      }

      resources {
        cpu    = 100
        memory = 64
      }
    }
  }
}
