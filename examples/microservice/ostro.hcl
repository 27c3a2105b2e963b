job "microservice" {
  template = "microservice.nomad"
}

# A registry would get the image here, too: docker push.
hooks {
  before_deploy = ["sh", "image.sh"]
}

variables {
  datacenter = "dc1"
}
