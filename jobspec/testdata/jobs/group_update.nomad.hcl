job "example" {
  datacenters = ["dc1"]

  group "app" {
    update {
      canary       = 2
      max_parallel = 2
      auto_revert  = false
    }
  }
}
