package tap

import (
	"os"
	"strings"
	"testing"

	"github.com/ethlink/ethlink/ethstack"
)

func TestOptionsThatNoKernelTakes(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    Options
		want []string
	}{
		{"long name", Options{Name: "sixteen-letters-"}, []string{`"sixteen-letters-"`, "at most 15"}},
		{"name with a slash", Options{Name: "a/b"}, []string{`"a/b"`, "slashes"}},
		{"name with a space", Options{Name: "a b"}, []string{`"a b"`, "white space"}},
		{"name of a folder", Options{Name: ".."}, []string{`".."`}},
		{"negative queues", Options{Queues: -1}, []string{"-1 queues", "from 1 to 255"}},
		{"many queues", Options{Queues: 256}, []string{"256 queues", "to 255"}},
		{"queues without files", Options{Queues: 2, Files: []*os.File{os.Stdin}}, []string{"2 queues", "1 Files", "leave Queues 0"}},
		{"no file", Options{Files: []*os.File{nil}}, []string{"Files is nil"}},
		{"small MTU", Options{MTU: 67}, []string{"67", "from 68 to 65521"}},
		{"negative MTU", Options{MTU: -1}, []string{"-1", "from 68"}},
		{"large MTU", Options{MTU: 65522}, []string{"65522", "to 65521"}},
		{"group address", Options{HardwareAddr: ethstack.HardwareAddr{1}}, []string{"01:00:00:00:00:00", "group"}},
		{"kernel's group address", Options{KernelHardwareAddr: ethstack.HardwareAddr{3}}, []string{"03:00:00:00:00:00", "kernel"}},
		{"one address for both", Options{
			HardwareAddr: ethstack.HardwareAddr{2, 1}, KernelHardwareAddr: ethstack.HardwareAddr{2, 1},
		}, []string{"02:01:00:00:00:00", "each must have its own"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := Open(tt.o)
			if err == nil {
				d.Close()
				t.Fatal("Open succeeded")
			}
			for _, part := range append(tt.want, "tap: ") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %q", err, part)
				}
			}
		})
	}
}
