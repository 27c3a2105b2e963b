jobs "a" {
}

region = "x"

job "a" {
}
