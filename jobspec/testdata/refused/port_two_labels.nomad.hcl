job "example" {
  group "g" {
    network {
      port "a" "b" {}
    }
  }
}
