job "count-words" {
  template = "count-words.nomad"
}

variables {
  datacenter = "dc1"
}
