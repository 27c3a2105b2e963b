job "example" {
  update {
    progress_deadline = "0s"
    max_parallel      = 0
  }
}
