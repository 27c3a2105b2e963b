job "example" {
  secret "db" {
    provider = "vault"
    path     = "kv/db"
    config {
      engine = "kv_v2"
    }
    env {
      A = "b"
    }
  }

  group "app" {
    task "a" {
      driver = "exec"
    }
  }
}
