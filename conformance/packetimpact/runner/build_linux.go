package runner

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
)

const devicePackage = "github.com/ethlink/ethlink/conformance/packetimpact/cmd/dut"

// BuildDevice builds this module's device under test, which is what Options
// take, in a folder, and returns its path. It has to be called in the module,
// and better outside of a network namespace, where modules can be fetched.
func BuildDevice(ctx context.Context, dir string) (string, error) {
	program := filepath.Join(dir, "dut")
	// Git has nothing to say, who may find the tree to belong to somebody else.
	out, err := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", program, devicePackage).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building the device under test: %w: run this in conformance/packetimpact, or name a program with -dut\n%s", err, out)
	}
	return program, nil
}
