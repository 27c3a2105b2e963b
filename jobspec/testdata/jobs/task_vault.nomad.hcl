job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      vault {
        policies               = ["a", "b"]
        role                   = "r"
        namespace              = "n"
        cluster                = "default"
        env                    = true
        disable_file           = true
        change_mode            = "signal"
        change_signal          = "SIGUSR1"
        allow_token_expiration = true
      }
    }
  }
}
