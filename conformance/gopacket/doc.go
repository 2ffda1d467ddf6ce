// Package gopacket compares the codecs of this project with those of
// github.com/gopacket/gopacket, which analyzers are written with. It is a module of
// its own, so that nobody who uses the project has to have gopacket. All of it is
// tests:
//
//	go test ./...
//	go test -fuzz FuzzEthernet
//
// Where the two differ, a comment that begins with Deviation says so.
package gopacket
