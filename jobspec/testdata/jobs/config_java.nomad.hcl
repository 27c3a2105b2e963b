job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "java"

      config {
        jar_path    = "local/app.jar"
        jvm_options = ["-Xmx512m"]
        class_path  = "x"
      }
    }
  }
}
