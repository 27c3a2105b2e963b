job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      template {
        source               = "local/a.tpl"
        destination          = "local/a"
        change_mode          = "signal"
        change_signal        = "SIGHUP"
        env                  = true
        once                 = true
        perms                = "600"
        uid                  = 1000
        gid                  = 1001
        splay                = "1m"
        left_delimiter       = "[["
        right_delimiter      = "]]"
        error_on_missing_key = true
        vault_grace          = "15s"

        wait {
          min = "5s"
          max = "10s"
        }
      }
    }
  }
}
