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

func openRing(string, int, []bpf.RawInstruction, LiveOptions) (ring, error) {
	return nil, errNotLinux
}

type guard struct{}

func openGuard(int, bool) (*guard, error)      { return nil, errNotLinux }
func (*guard) outgoing() uint64                { return 0 }
func (*guard) close()                          {}
func (*guard) linkOf(string) (LinkType, error) { return 0, errNotLinux }
func (*guard) isUp(string) (bool, error)       { return false, errNotLinux }
