// Package replay runs simulations, each of which follows from a seed. A seed
// that fails is kept in a file, with which later runs begin, and what happened
// is written down for a person to read.
package replay
