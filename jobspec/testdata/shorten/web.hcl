job "lev" {
  datacenters = ["*"]
  group "g" {
    count = 2
    constraint {
      attribute = "${attr.nomad.service_discovery}"
      value     = "true"
    }
    constraint {
      attribute = "${attr.nomad.version}"
      value     = ">= 1.4.0"
      operator  = "semver"
    }
    restart {
      attempts = 0
    }
    reschedule {
      unlimited = false
    }
    update {
      min_healthy_time  = "1s"
      healthy_deadline  = "20s"
      progress_deadline = "30s"
      canary            = 1
      auto_revert       = true
    }
    network {
      port "http" {
      }
    }
    service {
      name     = "levweb"
      port     = "http"
      provider = "nomad"
      check {
        name     = "service: \"levweb\" check"
        type     = "http"
        path     = "/"
        interval = "2s"
        timeout  = "1s"
      }
    }
    task "t" {
      driver = "raw_exec"
      config {
        args    = ["-c", "echo hello 4; cd local && exec python3 -m http.server ${NOMAD_PORT_http} --bind 127.0.0.1"]
        command = "/bin/sh"
      }
      resources {
        cpu    = 50
        memory = 64
      }
      template {
        destination = "local/t.txt"
        data        = <<EOT
x={{ env "NOMAD_ALLOC_ID" }}
EOT
      }
    }
  }
}
