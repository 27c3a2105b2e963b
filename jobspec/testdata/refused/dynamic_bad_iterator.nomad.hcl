job "example" {
  dynamic "update" {
    for_each = [1]
    iterator = a.b
    content {}
  }
}
