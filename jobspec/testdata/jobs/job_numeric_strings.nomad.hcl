job "example" {
  priority    = "55"
  all_at_once = "true"

  group "app" {
    count = "3"
  }
}
