# What is deployed, and where to. `ostro config -env staging` shows what comes of it, and `ostro doctor -env
# staging` what stands in the way.

job "<% .Job %>" {
  template = "<% .Template %>"
}
<%- if .Files %>

artifact "<% .Job %>" {
<%- if .Build %>
  build = <% .Build %>
<%- end %>
  files = [<% range $i, $file := .Files %><% if $i %>, <% end %><% $file | quote %><% end %>]
<%- if .Go %>

  env {
    CGO_ENABLED = 0
  }
<%- end %>
}

variables {
  count = 1

  # With empty ones the nodes fetch the artifact by a role of their own, or by an address that -presign makes.
  aws_access_key_id     = env("AWS_ACCESS_KEY_ID", "")
  aws_secret_access_key = env("AWS_SECRET_ACCESS_KEY", "")
}
<%- end %>

environment "staging" {
  <% .Staging %>
}

# Production takes only what is committed, and what is stable in staging. Both have one bucket, so that the same
# artifact runs in both.
environment "production" {
  <% .Production %>

  protected = true
  requires  = "staging"
}
