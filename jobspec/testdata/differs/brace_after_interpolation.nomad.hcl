job "example" {
  group "app" {
    task "server" {
      driver = "docker"

      env {
        JSON = "{\"id\": ${NOMAD_ALLOC_ID}}"
        GAP  = "{\"id\": ${NOMAD_ALLOC_ID} }"
        TWO  = "{{${NOMAD_A}}${NOMAD_B}}"
      }

      template {
        data        = <<EOT
{"id": ${NOMAD_ALLOC_ID}}
EOT
        destination = "local/a.json"
      }
    }
  }
}
