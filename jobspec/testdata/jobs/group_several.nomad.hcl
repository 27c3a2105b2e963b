job "example" {
  group "a" {}

  group "b" {
    count = 0
  }
}
