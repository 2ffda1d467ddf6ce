// Package channel is an [ethstack.Device] without a kernel: its frames are
// carried by the program itself, over a websocket, a QUIC tunnel, a test.
//
// What the stack sends is taken with [Device.Next], what came from the other
// side is handed to the stack with [Device.Inject]: whoever knows gVisor's
// link/channel knows the two as ReadContext and InjectInbound. Between them and
// the stack is one queue each way, so the stack never waits for the carrier: a
// frame that finds its queue full is refused, with an error for whoever offered
// it. A carrier that would rather wait calls [Device.InjectContext].
//
// # Memory
//
// Frames are copied into the queues and out of them, and the queues' memory is
// used again. Next makes a new slice for each frame; [Device.NextFrames] and
// [Device.InjectFrames] move batches through the caller's memory and allocate
// nothing.
//
// # Offload
//
// A device takes plain frames unless [Options] say otherwise, and what is above
// it segments and checksums in software. A carrier that passes metadata on to
// a peer who understands it names the offloads, and uses NextFrames and
// InjectFrames.
package channel
