// Package linkwatch follows the state and the MTU of the Linux interface that a
// file descriptor belongs to, as rtnetlink tells it, also into another network
// namespace.
package linkwatch
