job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      env {
        A = abs(-1)
        B = ceil(1.2)
        C = floor(1.8)
        D = log(8, 2)
        E = max(1, 3, 2)
        F = min([4, 2]...)
        G = parseint("ff", 16)
        H = pow(2, 10)
        I = signum(-3)
      }
    }
  }
}
