# The commands of a developer's day. `make ci` is what has to pass.

.PHONY: demo test race long bench fuzz ci

demo:
	go run ./cmd/demo

test:
	go test ./...

race:
	go test -race -shuffle=on ./...

# What finds more the longer it runs.
long:
	LONG=1 go test -timeout 30m -run Cycles -v ./conformance
	go test -timeout 4h ./arp -run TestNetwork -network.seeds 100000
	go test -timeout 2h ./conformance -run Simulation -sim.seeds 2000 -stack.seeds 200
	.ci/fuzz 1h

bench:
	go test -run '^$$' -bench . -benchmem ./...

# Time for each fuzz target; FUZZTIME=1h for a long run.
FUZZTIME ?= 10s
fuzz:
	.ci/fuzz $(FUZZTIME)

ci:
	bash .ci/run
