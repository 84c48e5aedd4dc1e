# What people run. Everything works on a clean Debian 12 with Go; `make test` installs what else it needs (test/deps/install).

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.NOTPARALLEL:
.DEFAULT_GOAL := help

STATICCHECK_VERSION := v0.8.2
GOVULNCHECK_VERSION := v1.9.0

# A tool only understands the Go that it was built with, so that is part of its name.
go_version  := $(shell go env GOVERSION)
staticcheck := build/tools/staticcheck-$(STATICCHECK_VERSION)-$(go_version)
govulncheck := build/tools/govulncheck-$(GOVULNCHECK_VERSION)-$(go_version)

stage := ./test/stage

# Pre-shared keys for TLS need OpenSSL's headers, which make test installs. On a machine without them everything else works.
with_openssl := $(if $(wildcard /usr/include/openssl/ssl.h),-tags psk)

# Tests need no version stamp, and must not fail where git refuses another user's checkout.
test test-busy check bench: export GOFLAGS += -buildvcs=false

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# What go build -v prints: a line for each package, of which every fiftieth is told, and anything else as it is.
count_packages = NF == 1 && !/:/ { if (++n % 50 == 0) { print "  " n " packages compiled"; fflush() } next } { print; fflush() }

# Make itself ends by a signal that it gets, so that Ctrl-C on a terminal is for fairlead alone: it gets a process group of
# its own, if make has the terminal.
own_group = if [[ -t 0 && -r /proc/self/stat ]] && read -r _ _ _ _ group _ _ front _ </proc/$$$$/stat && [[ $$group == "$$front" ]]; then set -m; fi;

.PHONY: run
run: ## everything in one process on this machine; more flags in ARGS, as in ARGS="--demo"
	@echo "building fairlead: moments if little has changed, a minute or two the first time"
	@go build -buildvcs=false $(with_openssl) -v -o build/fairlead ./cmd/fairlead 2>&1 | awk '$(count_packages)'
	@$(own_group) build/fairlead dev $(ARGS) || exit $$?

.PHONY: build
build: ## the command line, as bin/fairlead
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o bin/fairlead ./cmd/fairlead

.PHONY: fmt
fmt: ## format the Go code
	@./test/format -w

.PHONY: check
check: stage-format stage-vet stage-staticcheck stage-units-quick ## the quick loop: format, vet, staticcheck, unit tests

.PHONY: test
test: stage-deps stage-format stage-vet stage-staticcheck stage-units stage-psk stage-fuzz stage-integration stage-knative ## everything, with real Kafka, Redis and PostgreSQL and the race detector

.PHONY: test-busy
test-busy: stage-deps ## the integration tests ten times with all cores busy; packages and more in ARGS, as in ARGS="--runs 3 ./test/e2e"
	@$(stage) "integration tests on a busy machine" ./test/busy --race $(ARGS)

.PHONY: bench
bench: stage-deps ## measure, and print ratios
	@CGO_ENABLED=1 go run -tags psk ./test/bench $(ARGS)

.PHONY: images
images: ## build the images of functions, gateways and command line, and push them to REGISTRY; PLATFORMS="linux/amd64" for fewer, PSK=yes for gateways with OpenSSL beside them
	@$(stage) "images" env PSK=$(PSK) ./config/build-images "$(REGISTRY)" $(PLATFORMS)

.PHONY: deploy
deploy: ## deploy on the cluster of KUBECONFIG what make images has built, with OVERLAY=try, production or a folder of yours
	@$(if $(REGISTRY),$(MAKE) images,:)
	@./config/deploy "$(OVERLAY)"

.PHONY: undeploy
undeploy: ## take back what make deploy made on the cluster of KUBECONFIG, but no data
	@./config/undeploy

.PHONY: cluster-test
cluster-test: ## prove everything on the cluster of KUBECONFIG, with REGISTRY; test/cluster/run tells what else can be set
	@./test/cluster/run TestCluster

.PHONY: cluster-bench
cluster-bench: ## measure on the cluster of KUBECONFIG, with REGISTRY
	@./test/cluster/run TestBench

.PHONY: vuln
vuln: $(govulncheck) ## look for known vulnerabilities in what is called; needs vuln.go.dev
	@$(stage) "known vulnerabilities" ./test/vuln $(govulncheck) ./...

.PHONY: func
func: ## prove with Knative's real func command line that the repository is a function; builds func the first time
	@$(stage) "func run and func build" ./test/func/prove

.PHONY: drg
drg: ## prove that Drogue Cloud's own command line manages a registry of ours; builds drg with cargo the first time
	@$(stage) "drg" ./test/drg/prove

# The stages of check and test. Each test runs once: the packages whose tests differ with the tag integration run with
# it, all others without.

.PHONY: stage-deps
stage-deps:
	@$(stage) "dependencies of the tests" ./test/deps/install

.PHONY: stage-format
stage-format:
	@$(stage) "gofmt" ./test/format

.PHONY: stage-vet
stage-vet:
	@$(stage) "go vet" go vet ./...
	@$(stage) "go vet, integration" go vet -tags integration ./...
	@$(stage) "go vet, cluster" go vet -tags cluster ./test/cluster/...

.PHONY: stage-staticcheck
stage-staticcheck: $(staticcheck)
	@$(stage) "staticcheck" $(staticcheck) -tags integration ./...

.PHONY: stage-units-quick
stage-units-quick:
	@$(stage) "unit tests" go test ./...

.PHONY: stage-units
stage-units:
	@$(stage) "unit tests, race detector" bash -c 'set -euo pipefail; packages=$$(./test/packages units); CGO_ENABLED=1 go test -race -timeout 10m $$packages'

# What the build tag psk changes, in either form. The integration tests run with it.
psk_packages := ./internal/tlspsk/... ./test/pskclient ./test/bench

.PHONY: stage-psk
stage-psk: $(staticcheck)
	@$(stage) "pre-shared keys for TLS: go vet" env CGO_ENABLED=1 go vet -tags psk $(psk_packages)
	@$(stage) "pre-shared keys for TLS: staticcheck" env CGO_ENABLED=1 $(staticcheck) -tags psk $(psk_packages)
	@$(stage) "TLS without pre-shared keys" env CGO_ENABLED=1 go test -race -timeout 10m ./internal/tlspsk/...

.PHONY: stage-fuzz
stage-fuzz:
	@$(stage) "fuzz targets" ./test/fuzz

.PHONY: stage-integration
stage-integration:
	@$(stage) "integration and end-to-end tests, race detector" ./test/integration

# Modules of their own: they require Knative's packages, and those of image registries, which the product does not.
.PHONY: stage-knative
stage-knative:
	@$(stage) "program that makes images" bash -c 'cd config/images && go vet ./... && go test ./...'
ifneq ($(wildcard test/knative/go.mod),)
	@$(stage) "agreement with Knative's own packages" bash -c 'cd test/knative && go vet ./... && go test ./...'
endif

# Installed beside their place and renamed, so that an interrupted installation leaves nothing that looks complete.
define install_tool
	@mkdir -p build/tools/.new
	@$(stage) "installing $(1)" env GOBIN=$(CURDIR)/build/tools/.new GOFLAGS= go install $(2)
	@mv build/tools/.new/$(1) $@
endef

$(staticcheck):
	$(call install_tool,staticcheck,honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION))

$(govulncheck):
	$(call install_tool,govulncheck,golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION))
