job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      template {
        data        = <<EOH
{{ range service "db" }}
server {{ .Address }}:{{ .Port }} # $HOME and $${NOT_OURS} and ${NOMAD_JOB_NAME}
{{ end }}
EOH
        destination = "local/db.conf"
      }
    }
  }
}
