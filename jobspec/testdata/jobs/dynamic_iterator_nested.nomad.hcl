job "example" {
  dynamic "group" {
    for_each = { web = [80, 443], db = [5432] }
    iterator = it
    labels   = [it.key]

    content {
      network {
        dynamic "port" {
          for_each = it.value
          labels   = ["p${port.value}"]

          content {
            static       = port.value
            host_network = it.key
          }
        }
      }
    }
  }
}
