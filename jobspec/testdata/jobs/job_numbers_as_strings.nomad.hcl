job "example" {
  region    = 5
  namespace = true
  meta {
    port  = 8080
    ratio = 0.25
    on    = true
  }
}
