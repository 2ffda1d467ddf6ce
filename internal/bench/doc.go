// Package bench measures link endpoints of netstack side by side: those that
// people use today, this module's, and the Linux kernel alone as the limit.
//
// # What is measured
//
// A [Subject] is a host on a wire, the Linux kernel is the peer at the other
// end. A [Test] moves data between the two. "Out" means from the subject to
// the peer, "in" the other way. What counts is what arrived: bytes and datagrams
// are counted by the receiver.
//
// # How
//
// Each subject is two processes, one for each end of the wire, in network
// namespaces of their own. So the CPU time of a subject is that of one process,
// and nothing of the peer's is in it. In each round the processes of all
// subjects are started anew, and each test is run with one subject after
// another, so that the machine's mood is the same for all of them; ratios are
// taken within one round. The order of the subjects turns from round to round.
//
// A stream is checked at both ends of each piece that is read, a datagram by
// its number at both ends, and some of them whole. Before anything is timed,
// each subject moves some MiB each way whose SHA-256 is compared.
//
// A test that fails costs its own result and is reported; how fast something
// is never makes one fail.
package bench
