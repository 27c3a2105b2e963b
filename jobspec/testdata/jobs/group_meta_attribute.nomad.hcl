job "example" {
  datacenters = ["dc1"]

  group "app" {
    meta = { for k in ["x", "y"] : "k.${k}" => upper(k) }
  }
}
