package bench

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"
)

// kindHash is the test before the others: everything that arrives is hashed.
const kindHash kind = "SHA-256"

const (
	// hashSize is how much is hashed each way, and quickHashSize before tests
	// that are only to see that everything works.
	hashSize      = 16 << 20
	quickHashSize = 1 << 20
	// hashTime is how long that may take.
	hashTime = time.Minute
)

// hashTests are run once for each subject, before tests of such a duration.
func hashTests(duration time.Duration) (list []Test) {
	size := hashSize
	if duration < minShare {
		size = quickHashSize
	}
	for _, v6 := range []bool{false, true} {
		for _, out := range []bool{true, false} {
			name := fmt.Sprintf("sha256-tcp%s-%s", version(v6), direction(out))
			list = append(list, Test{Name: name, Kind: kindHash, IPv6: v6, Out: out, Flows: 1, Size: size})
		}
	}
	return list
}

// A hasher moves a payload that never repeats.
type hasher struct {
	crew
	digest []byte
}

func (h *hasher) finish(_, _ uint64) outcome {
	o := h.wait()
	o.Digest = h.digest
	h.stop()
	return o
}

func receiveHashed(s station, t Test, at netip.AddrPort) (load, uint16, error) {
	l, err := s.listen(at)
	if err != nil {
		return nil, 0, fmt.Errorf("listening at %v: %w", at, err)
	}
	h := new(hasher)
	h.accept(l, 1, func(conn net.Conn) error {
		conn.SetDeadline(time.Now().Add(hashTime))
		sum, size := sha256.New(), int64(t.Size)
		if n, err := io.CopyBuffer(sum, io.LimitReader(conn, size), make([]byte, chunk)); err != nil || n != size {
			return fmt.Errorf("%d bytes of %d arrived: %v", n, size, err)
		}
		h.digest = sum.Sum(nil)
		// That tells the sender that it can close.
		_, err := conn.Write(h.digest)
		return err
	})
	return h, l.Addr().(*net.TCPAddr).AddrPort().Port(), nil
}

func sendHashed(s station, t Test, to netip.AddrPort) (load, error) {
	conn, err := connect(s, to)
	if err != nil {
		return nil, err
	}
	h := new(hasher)
	h.keep(conn)
	h.start(func() error {
		conn.SetDeadline(time.Now().Add(hashTime))
		sum := sha256.New()
		payload := io.LimitReader(rand.NewChaCha8([32]byte{2}), int64(t.Size))
		if n, err := io.CopyBuffer(io.MultiWriter(writer{conn}, sum), payload, make([]byte, chunk)); err != nil {
			return fmt.Errorf("sending, after %d bytes: %w", n, err)
		}
		h.digest = sum.Sum(nil)
		if _, err := io.ReadFull(conn, make([]byte, sha256.Size)); err != nil {
			return fmt.Errorf("waiting for the receiver: %w", err)
		}
		return nil
	})
	return h, nil
}

// A writer hides a connection's other methods, which io.Copy would use.
type writer struct{ io.Writer }
