job "example" {
  meta {
    owner   = "ops"
    git_sha = "abc1234"
  }
}
