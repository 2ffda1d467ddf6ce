package bench

import (
	"testing"

	"github.com/ethlink/ethlink/internal/netns/nstest"
)

func TestMain(m *testing.M) {
	RunWorker()
	nstest.Main(m)
}
