module github.com/ethlink/ethlink/conformance/gopacket

go 1.26.3

require (
	github.com/ethlink/ethlink v0.0.0
	github.com/gopacket/gopacket v1.7.7
)

replace github.com/ethlink/ethlink => ../..
