job "example" {
  meta {
    a = <<EOT
line one
line two ${NOMAD_X}
EOT
  }
}
