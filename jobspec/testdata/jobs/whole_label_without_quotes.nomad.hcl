job example {
  group app {
    task server {
      driver = "docker"
    }
  }
}
