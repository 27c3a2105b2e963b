# Counts the words of each text that is dispatched to it.

job "count-words" {
  datacenters = ["[[.datacenter]]"]
  type        = "batch"

  parameterized {
    payload       = "required"
    meta_required = ["title"]
  }

  group "count" {
    restart {
      attempts = 0
      mode     = "fail"
    }

    reschedule {
      attempts  = 0
      unlimited = false
    }

    task "count" {
      driver = "raw_exec"

      dispatch_payload {
        file = "text"
      }

      config {
        command = "/bin/sh"
        args    = ["-c", "echo ${NOMAD_META_title}: $(wc -w <local/text) words"]
      }

      resources {
        cpu    = 50
        memory = 32
      }
    }
  }
}
