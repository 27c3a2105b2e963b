job "example" {

}
