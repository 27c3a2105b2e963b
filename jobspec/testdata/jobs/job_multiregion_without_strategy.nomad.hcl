job "example" {
  multiregion {
    region "a" {
      count = 0
    }
  }
}
