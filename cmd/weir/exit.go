package main

import "errors"

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
