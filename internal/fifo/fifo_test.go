package fifo_test

import (
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/ethlink/ethlink/internal/fifo"
)

// closed is for calls that must not wait.
var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func pop(q *fifo.Queue[int], most int) []int {
	dst := make([]int, most)
	return dst[:q.Pop(closed, dst)]
}

func TestOrderAndBounds(t *testing.T) {
	q := fifo.New[int](3)
	next, want := 0, 0
	for range 5 { // round the ring's end
		for range 3 {
			if o := q.Push(next); o != fifo.Taken {
				t.Fatalf("Push of %d: outcome %d", next, o)
			}
			next++
		}
		if o := q.Push(-1); o != fifo.Full {
			t.Fatalf("Push into a full queue: outcome %d, want %d", o, fifo.Full)
		}
		if o := q.PushWait(closed, -1); o != fifo.Full {
			t.Fatalf("PushWait into a full queue: outcome %d, want %d", o, fifo.Full)
		}
		if d := cmp.Diff([]int{want, want + 1}, pop(q, 2)) + cmp.Diff([]int{want + 2}, pop(q, 2)); d != "" {
			t.Fatalf("(-want +got):\n%s", d)
		}
		want += 3
		if got := pop(q, 2); len(got) != 0 || q.Len() != 0 {
			t.Fatalf("an empty queue of length %d gives %v", q.Len(), got)
		}
	}
}

// TestClose: what is in a closed queue can be popped, nothing can be added, and
// nobody waits.
func TestClose(t *testing.T) {
	q := fifo.New[int](2)
	q.Push(1)
	q.Close()
	q.Close()
	if o := q.Push(2); o != fifo.Closed {
		t.Errorf("Push into a closed queue: outcome %d, want %d", o, fifo.Closed)
	}
	if o := q.PushWait(nil, 2); o != fifo.Closed {
		t.Errorf("PushWait into a closed queue: outcome %d, want %d", o, fifo.Closed)
	}
	dst := make([]int, 2)
	if n := q.Pop(nil, dst); n != 1 || dst[0] != 1 {
		t.Errorf("Pop after Close: %d of %v, want 1", n, dst)
	}
	if n := q.Pop(nil, dst); n != 0 {
		t.Errorf("Pop from a closed and empty queue: %d", n)
	}
}

// TestCloseWakes: all who wait return.
func TestCloseWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		empty, full := fifo.New[int](1), fifo.New[int](1)
		full.Push(0)
		for range 4 {
			go func() {
				if n := empty.Pop(nil, make([]int, 1)); n != 0 {
					t.Errorf("Pop from an empty queue: %d", n)
				}
			}()
			go func() {
				if o := full.PushWait(nil, 1); o != fifo.Closed {
					t.Errorf("PushWait at Close: outcome %d, want %d", o, fifo.Closed)
				}
			}()
		}
		synctest.Wait() // all of them wait
		empty.Close()
		full.Close()
	})
}

// TestWakesTwo: one token is enough for two who wait. (synctest ends a test that
// leaves one behind.)
func TestWakesTwo(t *testing.T) {
	// What the test's goroutine does at once, it does before the others run.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	t.Run("Pop", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			q := fifo.New[int](2)
			for range 2 {
				go q.Pop(nil, make([]int, 1))
			}
			synctest.Wait()
			q.Push(1)
			q.Push(2)
			synctest.Wait()
			if n := q.Len(); n != 0 {
				t.Errorf("%d of two items are left to two who waited", n)
			}
		})
	})
	t.Run("PushWait", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			q := fifo.New[int](2)
			q.Push(1)
			q.Push(2)
			for range 2 {
				go q.PushWait(nil, 3)
			}
			synctest.Wait()
			q.Pop(nil, make([]int, 2))
			synctest.Wait()
			if n := q.Len(); n != 2 {
				t.Errorf("%d of two who waited found room for two", n)
			}
		})
	})
}

// TestManyWait: no token is lost with several who wait at both ends, so
// everything arrives once.
func TestManyWait(t *testing.T) {
	const goroutines, each = 4, 2000
	q := fifo.New[int](3)
	var pushers, poppers sync.WaitGroup
	got := make([][]int, goroutines)
	for g := range goroutines {
		pushers.Go(func() {
			for i := range each {
				if o := q.PushWait(nil, g*each+i); o != fifo.Taken {
					t.Errorf("PushWait: outcome %d", o)
				}
			}
		})
		poppers.Go(func() {
			dst := make([]int, 1+g)
			for {
				n := q.Pop(nil, dst)
				if n == 0 {
					return
				}
				got[g] = append(got[g], dst[:n]...)
			}
		})
	}
	pushers.Wait()
	q.Close()
	poppers.Wait()
	all := slices.Concat(got...)
	slices.Sort(all)
	for i, x := range all {
		if i != x {
			t.Fatalf("item %d is %d of %d: some are lost or doubled", i, x, len(all))
		}
	}
	if len(all) != goroutines*each {
		t.Errorf("%d items arrived, want %d", len(all), goroutines*each)
	}
}

func TestAllocations(t *testing.T) {
	q := fifo.New[int](4)
	dst := make([]int, 2)
	if n := testing.AllocsPerRun(100, func() {
		q.Push(1)
		q.PushWait(nil, 2)
		q.Pop(nil, dst)
	}); n != 0 {
		t.Errorf("%v allocations per round, want 0", n)
	}
}

// TestPushOut: what there is no room for takes that of the first.
func TestPushOut(t *testing.T) {
	q := fifo.New[int](3)
	for k := 1; k <= 7; k++ {
		want := max(k-3, 0)
		if out, o := q.PushOut(k); out != want || o != fifo.Taken {
			t.Errorf("PushOut of %d: %d came out, outcome %d; want %d, %d", k, out, o, want, fifo.Taken)
		}
	}
	if d := cmp.Diff([]int{5, 6, 7}, pop(q, 4)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	q.Close()
	if out, o := q.PushOut(8); out != 0 || o != fifo.Closed {
		t.Errorf("PushOut into a closed queue: %d came out, outcome %d", out, o)
	}
}
