package dhcp

import (
	"testing"

	"github.com/ethlink/ethlink/internal/netns/nstest"
)

func TestMain(m *testing.M) { nstest.Main(m) }
