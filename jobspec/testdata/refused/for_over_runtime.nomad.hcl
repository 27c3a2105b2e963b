job "example" {
  meta {
    a = jsonencode([for x in NOMAD_X : x])
  }
}
