// Package conformance tests what more than one package of this module has to
// keep, and what any link endpoint has to.
//
// # The suite
//
// [Run] tests a stack.LinkEndpoint that carries Ethernet, anybody's, against the
// standards and against what netstack expects of it. It plays raw frames from the
// other end of the wire and compares the answers byte by byte. The author of an
// endpoint writes a [Factory], which says what it is and where its wire is; the
// example has a whole one, of 30 lines:
//
//	func TestConformance(t *testing.T) {
//		conformance.Run(t, func() (*conformance.Subject, error) {
//			ep, wire, err := open()
//			return &conformance.Subject{
//				Endpoint: ep, Wire: wire, MTU: 1500, HardwareAddr: ep.LinkAddress(),
//				NetworkProtocols: []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol, arp.NewProtocol},
//			}, err
//		})
//	}
//
// [Collect] is for those who want a table instead of a test that fails.
//
// A check has the name of its requirement, the document, and itself:
// R17_RFC894_padding_zero. Requirements that begin with R are the standards' and
// those of good practice, in the order of the project's list; those that begin
// with C are the contract between netstack and a link endpoint. Each check has a
// subject, and a stack, of its own. That something does not come is decided
// without waiting: a request for the endpoint's address is sent after it, and its
// answer shows that all before has been dealt with. What needs minutes uses the
// subject's [Clock].
//
// What a subject may have besides makes more checks applicable: a device that
// hands over super-frames ([Subject.Offload]), a link that goes down
// ([Subject.SetLink]), a wire that goes away ([Subject.Unplug]). Checks about
// groups replace the IPv4 and IPv6 among its NetworkProtocols by the same with
// IGMP and MLD turned on.
//
// Not seen by the suite: throughput, VLANs that are configured, and whatever an
// endpoint does only when asked by methods of its own.
//
// # The other tests
//
// They check the rules of who imports whom, the MirageOS interface, and
// whole networks in simulation. Kernel tests re-enter a user and network
// namespace of their own and touch nothing outside it. Where none can be had
// they are skipped with the reason; with REQUIRE_KERNEL_TESTS=1 in the
// environment such a skip is a failure.
package conformance
