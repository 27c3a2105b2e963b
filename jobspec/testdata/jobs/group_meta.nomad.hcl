job "example" {
  datacenters = ["dc1"]

  group "app" {
    meta {
      a = "b"
    }
  }
}
