job "example" {
  datacenters = ["dc1"]

  group "app" {
    task "server" {
      driver = "docker"

      env {
        A = "%{if 1 == 1}yes%{else}no%{endif}"
        B = "%{for x in ["a", "b"]}${x},%{endfor}"
        C = "tab\tquote\"backslash\\unicode\u00e9"
        D = "${1}"
        E = "${true}"
      }
    }
  }
}
