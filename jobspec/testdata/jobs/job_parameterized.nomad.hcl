job "example" {
  type = "batch"
  parameterized {
    payload       = "required"
    meta_required = ["user"]
    meta_optional = ["team", "reason"]
  }
}
