job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      env {
        A = base64encode("hello")
        B = base64decode("aGVsbG8=")
        C = jsondecode("{\"a\":[1]}").a[0]
        D = jsonencode({ a = [true, null] })
        E = csvdecode("a,b\n1,2")[0].b
        F = urlencode("a b&c")
        G = yamldecode("a: [1, 2]").a[1]
        H = yamlencode({ a = 1 })
        I = sha256("a")
        J = sha512("a")
        K = md5("a")
        L = sha1("a")
        M = uuidv5("dns", "example.org")
        N = formatdate("YYYY-MM-DD", "2024-02-03T04:05:06Z")
        O = timeadd("2024-02-03T04:05:06Z", "1h")
        P = convert("5", number) + 1
        Q = jsonencode(convert(["a"], set(string)))
        R = try(jsondecode("nope").x, "fallback")
        S = can(jsondecode("nope"))
        T = strlen(bcrypt("x")) > 10
        U = strlen(uuidv4())
      }
    }
  }
}
