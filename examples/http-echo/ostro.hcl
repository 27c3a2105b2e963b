job "run_http_server" {
  template = "run_app.nomad"
}

artifact "http-echo" {
  build = ["go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-X main.commit=${commit}", "-o", "${build_dir}/http-echo", "."]
  files = ["${build_dir}/http-echo"]

  env {
    CGO_ENABLED = 0
  }
}

variables {
  datacenter = "dc1"
}

# With -standalone, the artifact lies in the agent's own store, which also sets
# the keys.
environment "standalone" {
  standalone = true
}

# Staging and production share one bucket, so that both run the same artifact. Production takes only what is stable
# in staging.
environment "staging" {
  ssh    = env("STAGING_SSH")
  bucket = env("S3_BUCKET")

  variables {
    aws_access_key_id     = env("AWS_ACCESS_KEY_ID", "")
    aws_secret_access_key = env("AWS_SECRET_ACCESS_KEY", "")
  }
}

environment "production" {
  ssh       = env("PRODUCTION_SSH")
  bucket    = env("S3_BUCKET")
  protected = true
  requires  = "staging"

  variables {
    aws_access_key_id     = env("AWS_ACCESS_KEY_ID", "")
    aws_secret_access_key = env("AWS_SECRET_ACCESS_KEY", "")
  }
}
