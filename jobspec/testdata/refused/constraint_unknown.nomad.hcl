job "example" {
  constraint {
    atribute = "x"
  }
}
