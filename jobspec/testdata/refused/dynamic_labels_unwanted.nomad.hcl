job "example" {
  dynamic "update" {
    for_each = [1]
    labels   = ["x"]
    content {}
  }
}
