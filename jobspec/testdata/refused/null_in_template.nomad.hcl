job "example" {
  meta {
    a = "x${null}"
  }
}
