# What stands in double brackets is filled in by ostro; `ostro render` shows what comes of it.

job "<% .Job %>" {
  type = "service"

  # By this, `ostro history` and `ostro rollback -to COMMIT` find a version's commit.
  meta {
    git_sha = "[[ .BB_COMMIT ]]"
  }

  # One instance after the other, and back to the last good version as soon as one fails, or is not healthy in time:
  # without a progress_deadline none is tried again elsewhere before that.
  update {
    max_parallel      = 1
    health_check      = "<% if .Port %>checks<% else %>task_states<% end %>"
    min_healthy_time  = "5s"
    healthy_deadline  = "2m"
    progress_deadline = "0s"
    auto_revert       = true
  }

  group "<% .Job %>" {
    count = [[ .count ]]

    # The third crash within a minute is a failure.
    restart {
      attempts = 2
      interval = "1m"
      delay    = "2s"
      mode     = "fail"
    }
<%- if .Port %>

    network {
      port "http" {<% if .FixedPort %>
        static = <% .Port %>
      <% end %>}
    }

    service {
      name     = "<% .Job %>"
      port     = "http"
      provider = "nomad"

      check {
<%- if .Health %>
        type     = "http"
        path     = "<% .Health %>"
<%- else %>
        type     = "tcp"
<%- end %>
        interval = "5s"
        timeout  = "2s"
      }
    }
<%- end %>

    task "<% .Job %>" {
      driver = "<% .Driver %>"

      artifact {
        source      = "[[ artifactSource "<% .Job %>" ]]"
        destination = "local/app"
[[- /* An address that -presign makes is signed already. */]]
[[- if and .aws_access_key_id (hasPrefix "s3::" (artifactSource "<% .Job %>")) ]]
        options {
          aws_access_key_id     = "[[ .aws_access_key_id ]]"
          aws_access_key_secret = "[[ .aws_secret_access_key ]]"
        }
[[- end ]]
      }

      config {
<%- if .Program %>
        command = "local/app/<% .Program %>"
<%- else %>
        command = "/bin/sh"
        args    = ["-c", <% .Shell | quote %>]
<%- end %>
      }

      env {
        COMMIT = "[[ .BB_COMMIT ]]"
<%- if .Port %>
        PORT   = "${NOMAD_PORT_http}"
<%- end %>
      }

      resources {
        cpu    = 100
        memory = 128
      }
    }
  }
}
