job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      config {
        one    = { a = { b = { c = 1 } } }
        empty  = {}
        paren  = ({ a = 1 })
        merged = merge({ a = 1 }, { b = 2 })
        nested {
          object = { x = 1 }
          merged = merge({ a = 1 }, {})
        }
      }
    }
  }
}
