package store

import (
	"cmp"
	"context"
	"slices"
)

// placed is a segment by its place in the file.
type placed struct {
	hour, bucket int64
	segment      int
}

const (
	// blockBits is how far the number of a flush is shifted in a block's.
	blockBits   = 24
	bucketLimit = 1 << blockBits
)

// flush writes the values of b: for each hour a flush, and its blocks.
func (w *writer) flush(ctx context.Context, s *Store, b *batch) error {
	w.order = w.order[:0]
	for i := range b.segments {
		g := b.segments[i].group
		for _, m := range g.members {
			if err := w.row(ctx, s, m); err != nil {
				return err
			}
		}
		if id := g.members[0].id; id > 0 && bucketOf(id) < bucketLimit {
			w.order = append(w.order, placed{b.segments[i].hour, bucketOf(id), i})
		}
	}
	slices.SortFunc(w.order, func(x, y placed) int {
		return cmp.Or(cmp.Compare(x.hour, y.hour), cmp.Compare(x.bucket, y.bucket), cmp.Compare(x.segment, y.segment))
	})
	fresh := 0
	if b.fresh {
		fresh = 1
	}
	at := w.flushes
	for i := 0; i < len(w.order); {
		at++
		first := w.order[i]
		count := 0
		for i < len(w.order) && w.order[i].hour == first.hour {
			bucket := w.order[i].bucket
			w.block = w.block[:0]
			for ; i < len(w.order) && w.order[i].hour == first.hour && w.order[i].bucket == bucket; i++ {
				g := &b.segments[w.order[i].segment]
				w.block = appendSection(w.block, g, b.log[g.from:g.to])
				count += g.readings * len(g.group.members)
			}
			if _, err := w.putBlock.ExecContext(ctx, at<<blockBits|bucket, w.block); err != nil {
				return err
			}
		}
		if _, err := w.putFlush.ExecContext(ctx, at, first.hour, fresh, count); err != nil {
			return err
		}
	}
	// A transaction that fails is written once more, under the same numbers or
	// others.
	w.flushes = at
	return nil
}
