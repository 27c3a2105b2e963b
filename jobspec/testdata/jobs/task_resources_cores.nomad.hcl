job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      resources {
        cores  = 2
        memory = 64

        numa {
          affinity = "require"
          devices  = ["nvidia/gpu"]
        }

        device "nvidia/gpu" {
          count = 2

          constraint {
            attribute = "${device.attr.memory}"
            operator  = ">="
            value     = "2 GiB"
          }

          affinity {
            attribute = "${device.model}"
            value     = "Tesla"
            weight    = 50
          }
        }

        device "fpga" {}
      }
    }
  }
}
