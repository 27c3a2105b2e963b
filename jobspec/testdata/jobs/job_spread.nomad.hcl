job "example" {
  spread {
    attribute = "${node.datacenter}"
    weight    = 100

    target "us-east" {
      percent = 60
    }

    target "us-west" {
      percent = 40
    }
  }

  spread {
    attribute = "${meta.rack}"
  }
}
