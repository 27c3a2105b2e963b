job "example" {
  
}
