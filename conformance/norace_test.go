//go:build !race

package conformance

// raceDetector tells that everything takes several times as long.
const raceDetector = false
