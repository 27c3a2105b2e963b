job "example" {
  meta = { a.b = 1 }
}
