//go:build !linux

package bench

import (
	"errors"
	"runtime"
)

// Run returns an error.
func Run(Options) (*Results, error) {
	return nil, errors.New("bench: TAPs and network namespaces need Linux, this is " + runtime.GOOS)
}

// RunWorker does nothing.
func RunWorker() {}
