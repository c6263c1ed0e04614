# Every target works on all modules of go.work; none is named by hand.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

SDK     := github.com/genai-bench/genai-bench/sdk
TOOLS   := GOWORK=off go tool -modfile=$(CURDIR)/internal/tools/go.mod
MODULES  = $(shell go list -m -f '{{.Dir}}')
PLUGINS  = $(notdir $(patsubst %/,%,$(dir $(wildcard plugins/*/go.mod))))

.PHONY: help
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## the core into bin/genai-bench, the plugins into bin/plugins/
	@go build -trimpath -o bin/genai-bench ./cmd/genai-bench
	@mkdir -p bin/plugins
	@for name in $(PLUGINS); do go build -trimpath -ldflags='-s -w' -o bin/plugins/genai-bench-plugin-$$name ./plugins/$$name; done

.PHONY: demo
demo: build ## a real benchmark against the built-in simulator, under a minute
	@bin/genai-bench demo

.PHONY: test
test: build ## all tests of all modules, with the race detector
	@go vet $(addsuffix /...,$(MODULES))
	@go test -race $(addsuffix /...,$(MODULES))
	@go test ./core/tokenizer # once more: allocations and growth of time mean nothing under the detector

.PHONY: test-isolated
test-isolated: ## build and vet each module alone, as a vendor would
	@internal/tools/isolated.sh $(SDK)

.PHONY: lint
lint: ## linters, the import directions, and that core knows no cloud by name
	@internal/tools/names.sh
	@lint=$$(GOWORK=off go tool -modfile=$(CURDIR)/internal/tools/lint/go.mod -n golangci-lint); \
	bad=0; for dir in $(MODULES); do (cd $$dir && $$lint run --config $(CURDIR)/.golangci.yml ./...) || bad=1; done; exit $$bad

.PHONY: fmt
fmt: ## gofmt every file
	@gofmt -w $$(git ls-files '*.go' | grep -v '\.pb\.go$$')

.PHONY: generate
generate: ## the Go code of the plugin contract, from its protobuf files
	@cd sdk && $(TOOLS) buf generate

.PHONY: check-generated
check-generated: ## fail where the generated code is not what `make generate` makes
	@cd sdk && $(TOOLS) buf lint
	@before=$$(git -C $(CURDIR) ls-files -s sdk/internal/genproto | sha256sum); $(MAKE) -s generate; \
	git diff --exit-code --stat -- sdk/internal/genproto || { echo 'generated code differs: run make generate and commit it'; exit 1; }

.PHONY: proto-breaking
proto-breaking: ## fail where the contract changed in a way that breaks plugins
	@cd sdk && $(TOOLS) buf breaking --against proto/baseline.binpb

.PHONY: fuzz-smoke
fuzz-smoke: ## every fuzz target for a few seconds (FUZZTIME=5s)
	@internal/tools/fuzz.sh $(or $(FUZZTIME),5s)

.PHONY: bench
bench: ## Go benchmarks with allocations
	@go test -run '^$$' -bench . -benchmem $(addsuffix /...,$(MODULES))

.PHONY: tidy
tidy: ## go mod tidy for every module, against the sdk of this tree
	@internal/tools/tidy.sh $(SDK)

.PHONY: clean
clean: ## remove what was built
	@rm -rf bin
