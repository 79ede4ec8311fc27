package main

import (
	"errors"
	"fmt"
	"io/fs"
)

// The exit statuses of weir.
const (
	exitDone    = 0
	exitPartial = 1 // done, but something could not be read or written
	exitUsage   = 2 // the command line or a configuration is wrong
)

// statusError is an error that knows its exit status.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

// usage marks an error of the command line or the configuration.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return &statusError{exitUsage, err}
}

// partial marks that something could not be read or written.
func partial(err error) error {
	if err == nil {
		return nil
	}
	return &statusError{exitPartial, err}
}

// errSaid ends a command with exit status 1 after all has been said.
var errSaid = &statusError{exitPartial, errors.New("")}

// errInterrupted ends a command that ctrl-C or SIGTERM cut short.
var errInterrupted = &statusError{exitPartial, errors.New("interrupted: the result holds what was read up to then")}

// errStopped is what a writer says that ends because the command was interrupted.
var errStopped = errors.New("interrupted")

// unwritten says why the file at path is not written, or not whole. It returns
// nil if err is nil.
func unwritten(path string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, errStopped) {
		return partial(fmt.Errorf("interrupted: %s is incomplete", path))
	}
	if path == "" || path == "-" {
		path = "standard output"
	}
	return partial(fmt.Errorf("write %s: %w", path, reason(err)))
}

// reason is what the system says of a file, without the name, which the caller
// knows better.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// exitStatus is the status for the error that a command ended with.
func exitStatus(err error) int {
	var s *statusError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &s):
		return s.status
	}
	return exitPartial
}
