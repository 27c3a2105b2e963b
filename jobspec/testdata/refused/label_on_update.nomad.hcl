job "example" {
  update "x" {}
}
