module github.com/ethlink/ethlink

go 1.26.3

require (
	github.com/google/go-cmp v0.7.0
	golang.org/x/sys v0.50.0
	gvisor.dev/gvisor v0.0.0-20260905035102-160fafc42237
)
