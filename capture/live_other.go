//go:build !linux

package capture

import (
	"errors"

	"golang.org/x/net/bpf"
)

// Live capture is for Linux; files are read everywhere.

var errNotLinux = errors.New("live capture needs Linux")

func interfaceError(name string, err error) error {
	return &InterfaceError{Interface: name, Reason: err.Error(), Err: err}
}

type ring struct {
	name  string
	link  LinkType
	place uint16
	left  uint32
	time  int64
	taken uint64
}

func openRings(int, int, []bpf.RawInstruction, LiveOptions) ([]*ring, error) { return nil, errNotLinux }
func (*ring) begin()                                                         {}
func (*ring) next(*Batch) bool                                               { return false }
func (*ring) ready() bool                                                    { return false }
func (*ring) take(*Packet)                                                   {}
func (*ring) giveBack(*block)                                                {}
func (*ring) used() float64                                                  { return 0 }
func (*ring) broken() error                                                  { return errNotLinux }
func (*ring) counts() (passed, dropped uint64)                               { return 0, 0 }
func (*ring) stop()                                                          {}
func (*ring) close()                                                         {}

type guard struct{}

func openGuard(string, int, bool) (*guard, error) { return nil, errNotLinux }
func (*guard) countAll(int) error                 { return errNotLinux }
func (*guard) begin(uint64)                       {}
func (*guard) filtered(func() uint64) uint64      { return 0 }
func (*guard) outgoing() uint64                   { return 0 }
func (*guard) down() bool                         { return false }
func (*guard) missed() uint64                     { return 0 }
func (*guard) close()                             {}
func (*guard) linkOf(string) (LinkType, error)    { return 0, errNotLinux }
