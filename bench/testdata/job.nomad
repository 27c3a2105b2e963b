# One server on every node, from a zip in a bucket.

job "run_http_server" {
  datacenters = ["[[.datacenter]]"]
  region      = "global"
  type        = "system"
  priority    = 50

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
    # The third crash in a row makes the deployment fail, after a few seconds.
    restart {
      attempts = 2
      interval = "1m"
      delay    = "1s"
      mode     = "fail"
    }

    network {
      port "http" {
        static = 9595
      }
    }

    task "server" {
      driver = "raw_exec"

      artifact {
        source      = "https://[[ .s3_binary_path ]].s3.amazonaws.com/http-echo_[[ .BB_COMMIT ]].zip"
        destination = "local/bin"

        options {
          aws_access_key_id     = "[[ .aws_access_key_id ]]"
          aws_access_key_secret = "[[ .aws_secret_access_key ]]"
        }
      }

      config {
        command = "local/bin/http-echo"
      }

      resources {
        cpu    = 100
        memory = 64
      }
    }
  }
}
