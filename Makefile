# A table of contents: everything a developer does, one line each. CI runs .ci/run.
# Tools are pinned here and run from the module cache; they do not enter go.mod.

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOFUMPT     = mvdan.cc/gofumpt@v0.12.0
FUZZTIME    = 60s

.PHONY: help build test race vet lint fuzz bench quickstart data kernels gpu test-gpu golden ci

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

build: ## build bin/mergesearch
	go build -o bin/mergesearch ./cmd/mergesearch

test: ## all tests, a few minutes
	go test ./...

race: ## the tests under the race detector, long numeric ones left out
	go test -short -race ./...

vet: ## go vet
	go vet ./...

lint: ## staticcheck, and what gofumpt would change
	go run $(STATICCHECK) ./...
	@out="$$(git ls-files '*.go' | xargs go run $(GOFUMPT) -l)"; echo "$$out"; test -z "$$out"

fuzz: ## every fuzzer for FUZZTIME (60s)
	@bash .ci/fuzz $(FUZZTIME)

bench: ## all benchmarks, once
	go test -run '^$$' -bench . -benchtime 1s ./...

quickstart: ## the README's first command, from scratch
	rm -rf runs/quickstart-s1
	go run ./cmd/mergesearch run configs/quickstart/run.yaml

data: ## check the quickstart's data against the script that makes it
	python3 configs/quickstart/family/make_data.py --check

kernels: ## compile the GPU's kernels again, with Debian's clang 19
	sh merge/kernel/device_ptx.sh

gpu: ## build bin/gpu: what test-gpu runs, to be carried to a machine with a GPU
	go build -trimpath -ldflags '-s -w' -o bin/gpu/mergesearch ./cmd/mergesearch
	for p in merge merge/kernel merge/kernel/cuda; do go test -c -trimpath -ldflags '-s -w' -o bin/gpu/$$(basename $$p).test ./$$p || exit 1; done
	@ls -l bin/gpu

test-gpu: ## what only a GPU can show, with the binaries of make gpu
	bash .ci/gpu

golden: ## rewrite golden files from what the code does now; read the diff
	go test $$(git grep -l 'flag.Bool("update"' -- '*_test.go' | xargs -n 1 dirname | sort -u | sed 's|^|./|') -update

ci: ## everything that must pass
	bash .ci/run
