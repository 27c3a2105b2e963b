# One http-echo on every node: the job that the pipeline deploys.

job "run_http_server" {
  datacenters = ["[[.datacenter]]"]
  type        = "system"

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
      }

      resources {
        cpu    = 100
        memory = 64
      }
    }
  }
}
