job "example" {
  name = "Other"
}
