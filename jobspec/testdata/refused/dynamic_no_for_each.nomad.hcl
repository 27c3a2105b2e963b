job "example" {
  dynamic "update" {
    content {}
  }
}
