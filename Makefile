.PHONY: build test full simulate fuzz check vulnerabilities release image pipe

VERSION = 0.1.0
IMAGE = ostro
CONTEXT = dist/image

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

# Each fuzz target for a while, and how often each was executed; a failure is kept
# in testdata/fuzz of its package. To make interesting inputs smaller would take most
# of the time.
FUZZTIME = 1m
fuzz:
	@git grep -o 'func Fuzz[A-Za-z]*' -- '*_test.go' | sed 's/func //' | { \
		targets=0 sum=0; \
		while IFS=: read -r file target; do \
			said=$$(go test "./$$(dirname "$$file")" -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x 2>&1) || { echo "$$said"; exit 1; }; \
			execs=$$(echo "$$said" | sed -n 's/.*execs: \([0-9]*\).*/\1/p' | tail -n 1); \
			echo "$$target in $$(dirname "$$file"): $$execs executions"; \
			targets=$$((targets + 1)) sum=$$((sum + execs)); \
		done; \
		echo "$$sum executions of $$targets targets"; }

check:
	test -z "$$(gofmt -l .)"
	go vet ./...
	go tool -modfile=tools/go.mod staticcheck ./...

vulnerabilities:
	go tool -modfile=tools/go.mod govulncheck ./...

# All platforms, with checksums, bills of materials and man pages, in dist/release:
# the same bytes wherever the commit is built.
release:
	go run -C tools ./release -root .. -out ../dist/release -version $(VERSION)

# A container image with the program alone. The certificates are this machine's.
image:
	mkdir -p $(CONTEXT)
	CGO_ENABLED=0 GOOS=linux go build -trimpath -tags urfave_cli_no_docs -ldflags "-s -w" -o $(CONTEXT)/ostro ./cmd/ostro
	cp "$$(ls /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem 2>/dev/null | head -n 1)" $(CONTEXT)/ca-certificates.crt
	docker build -q -t $(IMAGE) -f Dockerfile $(CONTEXT)

# The pipe for Bitbucket Pipelines.
pipe: image
	cp pipe/pipe.sh $(CONTEXT)
	docker build -q -t $(IMAGE)-pipe -f pipe/Dockerfile $(CONTEXT)
