job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      env {
        A = 1 + 2 * 3
        B = 10 % 4
        C = -5
        D = !false
        E = 1 < 2 && 2 >= 2
        F = true || false
        G = "a" == "a" ? "x" : "y"
        H = 7 / 2
        I = "5" + 1
        J = 1 != 2
      }
    }
  }
}
