job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      config {
        empty           = []
        mixed           = [1, "a", true, null]
        of_lists        = [[1, 2], []]
        of_objects      = [{ a = 1 }, { b = [{ c = 2 }] }]
        object_and_text = [{ a = 1 }, "x"]
        empty_object    = [{}]
        made            = [for i in [1, 2] : { n = i }]
        set             = setunion(["b"], ["a"])
      }
    }
  }
}
