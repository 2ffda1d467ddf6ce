// Package conformance holds the tests that need more than one package of this
// module: the rules of who imports whom, and the Linux kernel as the peer of a
// netstack on a real TAP. Run it with "go test ./conformance".
//
// Kernel tests re-enter a user and network namespace of their own and touch
// nothing outside it. Where none can be had they are skipped with the reason;
// with REQUIRE_KERNEL_TESTS=1 in the environment such a skip is a failure.
package conformance
