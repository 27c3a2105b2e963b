job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      env {
        A = <<EOT
  kept
    indent ${NOMAD_X}
EOT
        B = <<-EOT
    stripped
      more
  EOT
        C = <<EOT
EOT
        D = <<-EOT
	tab
	EOT
      }
    }
  }
}
