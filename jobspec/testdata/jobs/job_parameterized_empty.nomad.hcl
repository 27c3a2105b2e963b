job "example" {
  parameterized {}
}
