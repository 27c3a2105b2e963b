job "example" {
  dynamic "update" {
    for_each = null
    content {}
  }
}
