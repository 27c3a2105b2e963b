job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      env {
        A = join(",", [for x in ["a", "b"] : upper(x)])
        B = join(",", [for i, x in ["a", "b"] : "${i}=${x}" if x != "a"])
        C = jsonencode({ for k, v in { a = 1, b = 2 } : k => v * 2 })
        D = jsonencode({ for x in ["a", "b", "a"] : x => 1... })
        E = join(",", [{ n = "x" }, { n = "y" }][*].n)
      }
    }
  }
}
