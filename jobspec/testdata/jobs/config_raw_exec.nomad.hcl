job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "raw_exec"

      config {
        command = "/bin/sh"
        args    = ["-c", "echo ${NOMAD_META_greeting} $HOME $${literal} %%{literal}"]
      }
    }
  }
}
