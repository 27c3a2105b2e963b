job "example" {
  type = "batch"
  periodic {
    crons = ["0 1 * * *", "@daily"]
  }
}
