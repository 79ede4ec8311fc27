GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

.PHONY: all build test race lint vuln bench pgo microbench fuzz docs clean

all: build

## build: the one program, as ./weir
build:
	go build -ldflags '-X main.version=$(VERSION)' -o weir ./cmd/weir

## test: every test; installs what the tests need
test:
	@.ci/install
	go test -timeout 20m ./...

## race: the tests of what runs in parallel, under the race detector
race:
	CGO_ENABLED=1 go test -race -short -timeout 20m ./capture/... ./detect ./sinks/... ./store/... ./cmd/...

## lint: format, vet, golangci-lint
lint:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "not gofmt-ed: $$unformatted"; exit 1; }
	go vet ./...
	go run $(GOLANGCI) run ./...

## vuln: known vulnerabilities in what weir calls; says so if the database can't be reached
vuln:
	@out=$$(go run $(GOVULNCHECK) ./... 2>&1); status=$$?; echo "$$out"; \
	if echo "$$out" | grep -q 'fetching vulnerabilities:'; then \
		echo 'vulnerability check SKIPPED: its database could not be reached from here'; \
	else exit $$status; fi

## fuzz: every fuzz target for FUZZTIME each (default 1m)
FUZZTIME ?= 1m
fuzz:
	@for p in $$(go list ./...); do \
		for f in $$(go test -list '^Fuzz' $$p | grep ^Fuzz); do \
			echo "$$p $$f"; go test -run='^$$' -fuzz="^$$f$$" -fuzztime=$(FUZZTIME) $$p || exit 1; \
		done; \
	done

## bench: weir beside tcpdump and others over large captures (about a quarter of an hour), and where its time goes
bench:
	go test ./cmd/weir -v -run='^Test(SideBySide|LiveRate)$$' -count=1 -timeout 30m -args -side-by-side
	@for kind in modbus dnp3; do \
		echo; echo "where the time goes: $$kind"; \
		go test ./cmd/weir -run='^$$' -bench="^BenchmarkReplay$$/^$$kind$$" -benchtime=10x -cpuprofile=$${TMPDIR:-/tmp}/weir-$$kind.prof -o $${TMPDIR:-/tmp}/weir-bench.test | grep ns/packet; \
		go tool pprof -top -cum -nodecount=40 $${TMPDIR:-/tmp}/weir-bench.test $${TMPDIR:-/tmp}/weir-$$kind.prof 2>/dev/null | grep -v 'runtime\.\|testing\.'; \
	done

## pgo: the profile that the compiler optimises by, anew; after large changes of the hot path
pgo:
	@for load in modbus dnp3 modbus.process dnp3.process; do \
		go test ./cmd/weir -pgo=off -trimpath -run='^$$' -bench="^BenchmarkReplay$$/^$$load$$" -benchtime=5s -cpuprofile=$${TMPDIR:-/tmp}/weir-$$load.prof -o $${TMPDIR:-/tmp}/weir-bench.test | grep ns/packet; \
	done
	cd $${TMPDIR:-/tmp} && go tool pprof -proto weir-modbus.prof weir-dnp3.prof weir-modbus.process.prof weir-dnp3.process.prof > weir-default.pgo
	cp $${TMPDIR:-/tmp}/weir-default.pgo cmd/weir/default.pgo

## microbench: the benchmarks beside the code
microbench:
	go test -run='^$$' -bench=. -benchmem ./...

## docs: write the generated pages again
docs:
	go test ./protocols/modbus ./protocols/dnp3 ./detect/catalogue -run "Docs|TheDocument" -update

clean:
	rm -f weir
