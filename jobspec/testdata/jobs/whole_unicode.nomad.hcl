job "beispiel" {
  meta {
    größe = "日本 ${meta.größe} é"
  }
}
