job "example" {
  dynamic "update" {
    for_each = [1, 2]
    content {}
  }
}
