package influx

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sys/unix"
)

// A spool keeps batches on the disk until they can be sent. Each is a file
//
//	SEQUENCE-KIND-COUNT.lp.gz
//
// of gzipped line protocol: SEQUENCE (16 digits) orders them, KIND is what they
// hold (alerts, values, commands, counters), COUNT how many of it. A file appears
// under its name only when it is whole and on the disk.
type spool struct {
	dir   string
	limit int64
	files []spooled // the oldest first
	bytes int64
	next  uint64
	lock  *os.File
}

type spooled struct {
	name  string
	kind  kind
	count uint64
	size  int64
	// earlier tells that another run put it there.
	earlier bool
}

// spoolEnd ends the name of a file that is whole.
const spoolEnd = ".lp.gz"

// errInUse tells that another process has the spool.
var errInUse = errors.New("another weir uses it")

// openSpool opens or makes the folder. One process at a time can have it.
func openSpool(dir string, limit int64) (*spool, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make the spool: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, fmt.Errorf("open the spool: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("open the spool %s: %w", dir, errInUse)
	}
	s := &spool{dir: dir, limit: limit, lock: lock, next: 1}
	entries, err := os.ReadDir(dir)
	if err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("read the spool: %w", err)
	}
	for _, e := range entries { // in order of name
		if strings.HasPrefix(e.Name(), "tmp-") {
			// What a run that was cut off had not finished.
			_ = os.Remove(filepath.Join(dir, e.Name()))
			continue
		}
		f, seq, ok := parseSpooled(e.Name())
		info, err := e.Info()
		if !ok || err != nil {
			continue
		}
		f.size, f.earlier = info.Size(), true
		s.files = append(s.files, f)
		s.bytes += f.size
		s.next = max(s.next, seq+1)
	}
	return s, nil
}

func parseSpooled(name string) (spooled, uint64, bool) {
	parts := strings.Split(strings.TrimSuffix(name, spoolEnd), "-")
	if len(parts) != 3 || !strings.HasSuffix(name, spoolEnd) {
		return spooled{}, 0, false
	}
	seq, err := strconv.ParseUint(parts[0], 10, 64)
	if err != nil {
		return spooled{}, 0, false
	}
	count, err := strconv.ParseUint(parts[2], 10, 64)
	if err != nil {
		return spooled{}, 0, false
	}
	k := slices.Index(kindNames[:], parts[1])
	return spooled{name: name, kind: kind(k), count: count}, seq, k >= 0
}

// put keeps a batch. What had to make room for it is handed to dropped.
func (s *spool) put(b *batch, dropped func(spooled)) error {
	z := pack(b.body)
	size := int64(len(z))
	if size > s.limit {
		return fmt.Errorf("the spool may hold %d octets, a batch takes %d", s.limit, size)
	}
	for s.bytes+size > s.limit && len(s.files) > 0 {
		old := s.files[0]
		if err := s.remove(old); err != nil {
			return err
		}
		dropped(old)
	}
	f := spooled{name: fmt.Sprintf("%016d-%s-%d%s", s.next, kindNames[b.kind], b.count, spoolEnd), kind: b.kind, count: b.count, size: size}
	if err := s.write(f.name, z); err != nil {
		return err
	}
	s.next++
	s.files = append(s.files, f)
	s.bytes += f.size
	return nil
}

// write makes a file that is whole or not there.
func (s *spool) write(name string, data []byte) error {
	tmp := filepath.Join(s.dir, "tmp-"+name)
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(tmp, filepath.Join(s.dir, name))
	}
	if err != nil {
		_ = os.Remove(tmp)
		return err
	}
	if d, err := os.Open(s.dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
	return nil
}

// maxSpooled bounds what a file may unpack to, in octets.
const maxSpooled = 256 << 20

// read returns the batch in a file.
func (s *spool) read(f spooled) (*batch, error) {
	file, err := os.Open(filepath.Join(s.dir, f.name))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(z, maxSpooled))
	return &batch{kind: f.kind, count: f.count, body: body}, err
}

// remove deletes a file.
func (s *spool) remove(f spooled) error {
	if err := os.Remove(filepath.Join(s.dir, f.name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if i := slices.IndexFunc(s.files, func(g spooled) bool { return g.name == f.name }); i >= 0 {
		s.files = slices.Delete(s.files, i, i+1)
		s.bytes -= f.size
	}
	return nil
}

func (s *spool) close() { _ = s.lock.Close() }
