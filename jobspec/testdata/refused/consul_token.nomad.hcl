job "example" {
  consul_token = "x"
}
