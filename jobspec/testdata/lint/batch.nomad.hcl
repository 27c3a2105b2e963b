job "example" {
  type = "batch"

  group "app" {
    update {
      auto_revert  = true
      auto_promote = true
      canary       = 1
    }
  }
}
