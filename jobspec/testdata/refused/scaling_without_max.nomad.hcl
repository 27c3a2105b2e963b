job "example" {
  group "g" {
    scaling {
      min = 1
    }
  }
}
