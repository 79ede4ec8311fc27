package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/weir-ics/weir/detect"
)

func readBaseline(path string) (*detect.Baseline, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, usage(fmt.Errorf("read the baseline: %w", err))
	}
	defer f.Close()
	b, err := detect.LoadBaseline(f)
	if err != nil {
		return nil, usage(fmt.Errorf("read baseline %s: %w", path, err))
	}
	return b, nil
}

// saveBaseline saves what was learned so far.
func (p *pipeline) saveBaseline(path string) error {
	b, err := p.baseline()
	if err != nil {
		return err
	}
	return saveBaseline(path, b)
}

// saveBaseline puts a baseline in place all at once, so that a power cut leaves
// the old one or the new one.
func saveBaseline(path string, b *detect.Baseline) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write the baseline: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write baseline %s: %w", path, err), os.Remove(f.Name()))
		}
	}()
	if err := b.Save(f); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Chmod(0o640), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
