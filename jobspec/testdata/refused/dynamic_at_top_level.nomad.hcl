job "a" {
}

dynamic "job" {
  for_each = ["b"]
  labels   = [job.value]

  content {}
}
