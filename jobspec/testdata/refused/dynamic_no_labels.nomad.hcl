job "example" {
  dynamic "group" {
    for_each = ["a"]
    content {}
  }
}
