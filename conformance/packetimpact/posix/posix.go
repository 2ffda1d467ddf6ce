// Package posix is the wire of packetimpact's service: the messages and the
// stubs that protoc makes of posix_server.proto.
//
// To make them again needs protoc (Debian's package protobuf-compiler); the
// plugins are Go's.
package posix

//go:generate sh generate.sh
