job "example" {
  type        = "system"
  datacenters = ["*"]

  group "agent" {
    task "collect" {
      driver = "raw_exec"
      config {
        command = "/usr/bin/collect"
        args    = ["-v"]
      }
    }
  }
}
