job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      env {
        A = file("expr_functions_files.txt")
        B = filebase64("expr_functions_files.txt")
        C = fileexists("no-such-file")
        D = jsonencode(fileset(".", "expr_functions_f*.txt"))
        E = basename("a/b.txt")
        F = dirname("a/b.txt")
        G = try(file("no-such-file"), "none")
      }
    }
  }
}
