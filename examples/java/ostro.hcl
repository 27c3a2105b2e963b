job "java-service" {
  template = "service.nomad"
}

artifact "java-service" {
  build = ["sh", "-c", "javac -d ${build_dir}/classes Service.java && jar --create --file ${build_dir}/service.jar --main-class Service -C ${build_dir}/classes ."]
  files = ["${build_dir}/service.jar"]
}

variables {
  datacenter = "dc1"
}
