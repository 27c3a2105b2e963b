job "example" {
  meta {
    a = reverse([1, 2])
  }
}
