job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      env {
        A = lower("AB")
        B = upper("ab")
        C = title("a b")
        D = trim("xax", "x")
        E = trimprefix("ab", "a")
        F = trimsuffix("ab", "b")
        G = trimspace(" a ")
        H = chomp("a\n")
        I = indent(2, "a\nb")
        J = format("%05d %s %q %v", 1, "a", "q", [1])
        K = join("-", formatlist("%s!", ["a", "b"]))
        L = replace("abc", "b", "x")
        M = regex_replace("a1b2", "[0-9]", "#")
        N = substr("abcdef", 1, 3)
        O = split(",", "a,b")[1]
        P = reverse("abc")
        Q = strrev("abc")
        R = strlen("añb")
        S = join(",", ["a", "b"])
      }
    }
  }
}
