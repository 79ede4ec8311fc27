package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/weir-ics/weir/detect"
)

func readBaseline(path string) (*detect.Baseline, error) {
	b, _, err := readBaselineOf(path, func(*os.File) (*document, error) { return nil, nil })
	return b, err
}

// readNormal reads a baseline for a pipeline. Its sections are parts of the
// document, if that is not nil, for as long as it is there.
func readNormal(path string) (*detect.Baseline, *document, error) {
	return readBaselineOf(path, readDocument)
}

func readBaselineOf(path string, whole func(*os.File) (*document, error)) (*detect.Baseline, *document, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, usage(fmt.Errorf("read baseline %s: %w", path, reason(err)))
	}
	defer f.Close()
	t, err := whole(f)
	var b *detect.Baseline
	switch {
	case err != nil:
	case t != nil:
		b, err = detect.ParseBaseline(t.data)
	default:
		b, err = detect.LoadBaseline(f)
	}
	if err != nil {
		t.close()
		return nil, nil, usage(fmt.Errorf("read baseline %s: %s", path, strings.TrimPrefix(err.Error(), "read baseline: ")))
	}
	return b, t, nil
}

// saveBaseline saves what was learned so far.
func (p *pipeline) saveBaseline(path string) error {
	b, err := p.baseline()
	if err != nil {
		return err
	}
	return saveBaseline(path, b)
}

// checkPlace tells whether a file can be put at path, before hours are spent on
// what is to be in it.
func checkPlace(path string) error {
	p, err := newPlace(path)
	if err != nil {
		return usage(fmt.Errorf("write baseline %s: %w", path, reason(err)))
	}
	return p.abandon()
}

// place is a file that appears at its path all at once, so that a power cut
// leaves the old one or the new one.
type place struct {
	*os.File
	path string // empty: a device, which is written to as it is
	mode fs.FileMode
}

// newPlace begins a file that will be put at path. The owner and the mode of one
// that is there stay: the sensor must be able to read what root approved.
func newPlace(path string) (*place, error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	old, err := os.Stat(path)
	switch {
	case err == nil && old.IsDir():
		return nil, errors.New("it is a directory")
	case err == nil && !old.Mode().IsRegular():
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		return &place{File: f}, err
	}
	f, createErr := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if createErr != nil {
		return nil, createErr
	}
	p := &place{f, path, 0o640}
	if err == nil {
		p.mode = old.Mode().Perm()
		keepOwner(f, old)
	}
	return p, nil
}

// put ends the file and puts it in its place.
func (p *place) put() error {
	if p.path == "" {
		return p.Close()
	}
	err := errors.Join(p.Chmod(p.mode), p.Sync(), p.Close())
	if err == nil {
		err = os.Rename(p.Name(), p.path)
	}
	if err != nil {
		_ = os.Remove(p.Name())
	}
	return err
}

// abandon leaves the place as it was.
func (p *place) abandon() error {
	err := p.Close()
	if p.path != "" {
		err = errors.Join(err, os.Remove(p.Name()))
	}
	return err
}

func saveBaseline(path string, b *detect.Baseline) error {
	p, err := newPlace(path)
	if err == nil {
		if err = b.Save(p); err != nil {
			_ = p.abandon()
		} else {
			err = p.put()
		}
	}
	if err != nil {
		return fmt.Errorf("write baseline %s: %w", path, reason(err))
	}
	return nil
}
