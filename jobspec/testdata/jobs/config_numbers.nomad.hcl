job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      config {
        a = 1
        b = 1.5
        c = 1e3
        d = -7
        e = 9223372036854775807
        f = 9223372036854775808
        g = 1e21
        h = 0.1
        i = 1 / 3
        j = 123456789.123456789
        k = 2.0
      }
    }
  }
}
