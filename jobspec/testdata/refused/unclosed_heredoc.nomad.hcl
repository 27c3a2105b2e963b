job "a" {
  group "g" {
    task "t" {
      template {
        data = <<EOT
one
EOT
      }
      template {
        data = <<-END
  two
      }
    }
  }
}
