.PHONY: build test full check vulnerabilities

# Without C there is no dynamic linking at start; without urfave's documentation
# generator no Markdown parser makes its tables at start.
build:
	CGO_ENABLED=0 go build -trimpath -tags urfave_cli_no_docs -o dist/ostro ./cmd/ostro

test:
	go test ./...

full:
	OSTRO_TEST=full go test -race ./...

check:
	test -z "$$(gofmt -l .)"
	go vet ./...
	go tool -modfile=tools/go.mod staticcheck ./...

vulnerabilities:
	go tool -modfile=tools/go.mod govulncheck ./...
