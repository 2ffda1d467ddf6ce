package dut

import (
	"context"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/ethlink/ethlink/conformance/packetimpact/posix"
)

// minPing is how often a client may ask whether the server is there. The test
// binaries do every ten seconds, also while a call waits; gRPC's default would
// cut them off.
const minPing = 5 * time.Second

// ServiceOptions say how the calls are served. The zero value is ready for use.
type ServiceOptions struct {
	// Settle is a pause before each call. A test may send a frame and make a
	// call at once, and expect that the frame has been taken in before.
	Settle time.Duration
	// Trace is where each call is written to, with its answer; nil: nowhere.
	Trace io.Writer
}

// NewService returns a gRPC server with the calls of s.
func NewService(s *Server, o ServiceOptions) *grpc.Server {
	t := &tracer{w: o.Trace}
	g := grpc.NewServer(
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPing, PermitWithoutStream: true}),
		grpc.UnaryInterceptor(func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			time.Sleep(o.Settle)
			start := time.Now()
			resp, err := handle(ctx, req)
			if o.Trace != nil {
				t.call(path.Base(info.FullMethod), req, resp, err, time.Since(start))
			}
			return resp, err
		}),
	)
	posix.RegisterPosixServer(g, s)
	return g
}

// A tracer writes calls, one a line.
type tracer struct {
	mu sync.Mutex
	w  io.Writer
}

func (t *tracer) call(name string, req, resp any, err error, took time.Duration) {
	answer := text(resp)
	if err != nil {
		answer = err.Error()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.w, "%s(%s) = %s (%v)\n", name, text(req), answer, took.Round(time.Microsecond))
}

// text writes a message on one line, of which a person wants the beginning.
func text(m any) string {
	const enough = 200
	p, ok := m.(proto.Message)
	if !ok {
		return ""
	}
	// The format has spaces at random, so that nobody relies on it.
	s := strings.Join(strings.Fields(prototext.MarshalOptions{}.Format(p)), " ")
	if len(s) > enough {
		return s[:enough] + "..."
	}
	return s
}
