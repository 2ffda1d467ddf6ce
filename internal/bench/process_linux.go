package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/ethlink/ethlink/internal/netns"
)

// replyTime is how long a worker may take to answer. It needs a CPU to do so,
// of which the load leaves little.
const replyTime = 20 * time.Second

// A process is a worker, seen from the program that started it.
type process struct {
	name    string
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *os.File
	encoder *json.Encoder
	decoder *json.Decoder
}

// startProcess starts this program again as a worker in a namespace.
func startProcess(name string, ns *netns.Namespace) (*process, error) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), workerEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout = w
	// The new process has the namespace of the thread that starts it.
	err = ns.Do(cmd.Start)
	w.Close()
	if err != nil {
		out.Close()
		return nil, fmt.Errorf("starting the %s: %w", name, err)
	}
	return &process{name, cmd, in, out, json.NewEncoder(in), json.NewDecoder(out)}, nil
}

// call tells the worker what to do and waits for the answer, but not for ever.
func (p *process) call(q request) (a reply, err error) {
	limit := replyTime
	if q.Test.Kind == kindHash || q.Do == doFinish {
		limit += hashTime
	}
	p.out.SetReadDeadline(time.Now().Add(limit))
	if err = p.encoder.Encode(q); err == nil {
		err = p.decoder.Decode(&a)
	}
	if err == nil && a.Error != "" {
		err = errors.New(a.Error)
	}
	if err != nil {
		err = fmt.Errorf("the %s: %s: %w", p.name, q.Do, err)
	}
	return a, err
}

// stop ends the worker, whatever it is doing.
func (p *process) stop() {
	p.in.Close()
	p.cmd.Process.Kill()
	p.cmd.Wait()
	p.out.Close()
}
