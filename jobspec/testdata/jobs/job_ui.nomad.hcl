job "example" {
  ui {
    description = "The **shop**"

    link {
      label = "Runbook"
      url   = "https://example.org/runbook"
    }

    link {
      label = "Dashboard"
      url   = "https://example.org/dash"
    }
  }
}
