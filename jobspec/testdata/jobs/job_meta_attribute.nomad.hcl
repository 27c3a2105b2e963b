job "example" {
  meta = {
    "a.b/c" = "dots"
    plain   = 1
  }
}
