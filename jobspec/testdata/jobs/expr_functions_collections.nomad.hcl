job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      env {
        A = jsonencode(chunklist([1, 2, 3], 2))
        B = coalesce("", "b")
        C = jsonencode(coalescelist([], [1]))
        D = jsonencode(compact(["", "a"]))
        E = jsonencode(concat([1], [2]))
        F = contains(["a"], "a")
        G = jsonencode(distinct(["a", "a"]))
        H = element(["a", "b"], 3)
        I = jsonencode(flatten([[1], [2, [3]]]))
        J = index(["a", "b"], 1)
        K = jsonencode(keys({ b = 1, a = 2 }))
        L = length([1, 2])
        M = lookup({ a = "x" }, "b", "d")
        N = jsonencode(merge({ a = 1 }, { b = 2 }))
        O = jsonencode(range(3))
        P = jsonencode(setintersection(["a", "b"], ["b"]))
        Q = jsonencode(setproduct(["a"], ["b", "c"]))
        R = jsonencode(setunion(["a"], ["b"]))
        S = jsonencode(slice([1, 2, 3], 1, 2))
        T = jsonencode(sort(["b", "a"]))
        U = jsonencode(values({ a = 1 }))
        V = jsonencode(zipmap(["a"], [1]))
      }
    }
  }
}
