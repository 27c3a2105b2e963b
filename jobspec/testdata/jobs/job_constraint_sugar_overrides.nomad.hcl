job "example" {
  constraint {
    attribute = "a"
    operator  = "="
    value     = "old"
    version   = "1"
    semver    = "2"
    regexp    = "3"
  }
}
