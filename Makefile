.PHONY: build test full simulate check vulnerabilities

# Without C there is no dynamic linking at start; without urfave's documentation
# generator no Markdown parser makes its tables at start.
build:
	CGO_ENABLED=0 go build -trimpath -tags urfave_cli_no_docs -o dist/ostro ./cmd/ostro

test:
	go test ./...

full:
	OSTRO_TEST=full go test -race ./...

# Hours of histories that nobody has tried; a failure tells how to see it again.
simulate:
	go test ./orchestrator -run 'TestSimulation$$' -steps 20000000 -timeout 0

check:
	test -z "$$(gofmt -l .)"
	go vet ./...
	go tool -modfile=tools/go.mod staticcheck ./...

vulnerabilities:
	go tool -modfile=tools/go.mod govulncheck ./...
