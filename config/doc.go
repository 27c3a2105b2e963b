// Package config reads ostro.hcl: the jobs, the artifacts, the environments
// and the settings that a pipeline would else repeat as flags.
//
//	job "http-echo" {
//	  template = "run_app.nomad"
//	}
//
//	artifact "http-echo" {
//	  build = ["go", "build", "-trimpath", "-o", "${build_dir}/http-echo", "."]
//	  files = ["${build_dir}/http-echo"]
//	}
//
//	variables {
//	  datacenter = "dc1"
//	}
//
//	environment "staging" {
//	  ssh     = "deploy@bastion.example.com"
//	  bucket  = "example-staging"
//	  promote = "healthy"
//	  variables {
//	    aws_access_key_id = env("AWS_ACCESS_KEY_ID")
//	  }
//	}
//
// What stands at the top level holds in every environment, and an environment's
// own settings win. Expressions know env("NAME"), env("NAME", "default"),
// commit, a few string functions, and in an artifact build_dir.
//
// The package may not run a command, open a file other than the one it is given,
// read flags, or print; nothing of the process environment reaches a variable
// except by env().
package config
