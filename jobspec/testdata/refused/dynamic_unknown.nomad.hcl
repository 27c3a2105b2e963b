job "example" {
  dynamic "grup" {
    for_each = [1]
    labels   = ["x"]
    content {}
  }
}
