package main

import (
	"github.com/urfave/cli/v2"
)

// templateFlags say which values a template gets.
func templateFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "var", Usage: "set a template variable: `NAME=VALUE`, NAME may be dotted; may be repeated"},
		&cli.StringSliceFlag{Name: "var-json", Usage: "set a template variable to a JSON value: `NAME=JSON`"},
		&cli.StringSliceFlag{Name: "var-file", Usage: "read template variables from a .yaml, .json, .tf, .tfvars or .hcl `FILE`, or from stdin with -"},
		&cli.BoolFlag{Name: "allow-missing", Usage: "render a missing variable as <no value>, as Levant does"},
		&cli.StringSliceFlag{Name: "secret", Usage: "never show the value of the variable `NAME`"},
		&cli.StringFlag{Name: "consul-address", Usage: "where the consulKey functions look (`HOST:PORT`)"},
		&cli.StringFlag{Name: "commit", Usage: "the `COMMIT` that tags artifacts and is BB_COMMIT in templates"},
		&cli.StringFlag{Name: "bucket", Usage: "the S3 `BUCKET` of the artifacts, s3_binary_path in templates"},
	}
}

// configFlags choose the configuration.
func configFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "env", Usage: "the environment of ostro.hcl: `NAME`"},
		&cli.StringFlag{Name: "config", Usage: "the configuration `FILE` (default: ostro.hcl)"},
	}
}

// logFlags are Levant's.
func logFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "log-level", Value: "INFO", Usage: "`LEVEL`: debug, info, warn or error"},
		&cli.StringFlag{Name: "log-format", Value: "HUMAN", Usage: "`FORMAT`: human or json"},
	}
}

// clientFlags say how to reach Nomad, as the nomad command line has them.
func clientFlags() []cli.Flag {
	return join([]cli.Flag{
		&cli.StringFlag{Name: "address", Usage: "the `URL` of Nomad's API (NOMAD_ADDR)"},
		&cli.BoolFlag{Name: "standalone", Usage: "use the orchestrator that is built in"},
	}, sshFlags(), []cli.Flag{
		&cli.StringFlag{Name: "namespace", Usage: "the Nomad `NAMESPACE` (NOMAD_NAMESPACE)"},
		&cli.StringFlag{Name: "region", Usage: "the Nomad `REGION` (NOMAD_REGION)"},
		&cli.StringFlag{Name: "token", Usage: "the ACL `TOKEN` (NOMAD_TOKEN)"},
		&cli.StringFlag{Name: "ca-cert", Usage: "a PEM `FILE` of the CA that signed Nomad's certificate (NOMAD_CACERT)"},
		&cli.StringFlag{Name: "ca-path", Usage: "a `FOLDER` of PEM files of CAs (NOMAD_CAPATH)"},
		&cli.StringFlag{Name: "client-cert", Usage: "a PEM `FILE` of the client's certificate (NOMAD_CLIENT_CERT)"},
		&cli.StringFlag{Name: "client-key", Usage: "a PEM `FILE` of the client's key (NOMAD_CLIENT_KEY)"},
		&cli.StringFlag{Name: "tls-server-name", Usage: "the `NAME` that Nomad's certificate must bear (NOMAD_TLS_SERVER_NAME)"},
		&cli.BoolFlag{Name: "tls-skip-verify", Usage: "do not verify Nomad's certificate (NOMAD_SKIP_VERIFY)"},
		&cli.BoolFlag{Name: "allow-stale", Usage: "let any server answer, not only the leader"},
	})
}

// sshFlags say how to get to an SSH server, and where to from there.
func sshFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "ssh", Usage: "reach Nomad through SSH: `[USER@]HOST[:PORT]`"},
		&cli.StringFlag{Name: "ssh-remote", Usage: "where Nomad is, seen from the SSH server: `HOST:PORT` (default: 127.0.0.1:4646)"},
		&cli.StringSliceFlag{Name: "ssh-key", Usage: "a private key `FILE` for SSH"},
		&cli.StringFlag{Name: "ssh-host-key", Usage: "the `KEY` or fingerprint that the SSH server must show"},
	}
}

// artifactFlags say what to upload.
func artifactFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "artifact", Usage: "what to zip and upload: `NAME=PATH`; replaces the configured artifact of that name and skips its build; a file keeps its own name"},
		&cli.StringFlag{Name: "key", Usage: "the `TEMPLATE` of the object's key (default: {name}_{commit}.zip)"},
		&cli.StringFlag{Name: "bucket-region", Usage: "the AWS `REGION` of the bucket"},
		&cli.StringFlag{Name: "endpoint", Usage: "the `URL` of an S3-compatible store (AWS_ENDPOINT_URL_S3)"},
		&cli.DurationFlag{Name: "presign", Usage: "let artifactURL and artifactSource give an address that needs no keys for a `DURATION`, 168h at most"},
		&cli.StringFlag{Name: "acl", Usage: "the canned `ACL` of uploaded objects, such as bucket-owner-full-control"},
		&cli.StringFlag{Name: "storage-class", Usage: "the storage `CLASS` of uploaded objects"},
		&cli.StringFlag{Name: "sse", Usage: "the server-side `ENCRYPTION` of uploaded objects: AES256 or aws:kms"},
		&cli.StringFlag{Name: "sse-kms-key-id", Usage: "the KMS key of -sse aws:kms: `ID`"},
		&cli.StringSliceFlag{Name: "tag", Usage: "a tag of uploaded objects: `NAME=VALUE`"},
		&cli.BoolFlag{Name: "allow-dirty", Usage: "upload although the working tree has changes that are not committed"},
	}
}

func join(lists ...[]cli.Flag) []cli.Flag {
	var all []cli.Flag
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}
