// Package runner runs the test binaries of gVisor's packetimpact against a
// device under test, and compares what they say with what is expected of
// netstack.
//
// Upstream's runner makes a network namespace and two veth pairs for each test.
// This one has a single namespace, in which the whole suite runs, several tests
// at a time: each device under test opens a TAP of its own, the kernel's end of
// which is the test bench. The service that makes the socket calls is reached
// over the loopback interface, where it disturbs nobody.
//
// The binaries are not part of this project. A [Folder] has them.
package runner
