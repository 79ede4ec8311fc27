package process

// values are those of a column that moves: narrow ones while all are whole numbers
// as a register has, which is what most of a large site are, in half the memory.
type values struct {
	narrow []uint16
	wide   []float32
}

// narrowValue and wideValue are the octets of a value.
const (
	narrowValue = 2
	wideValue   = 4
)

func width(narrow bool) int {
	if narrow {
		return narrowValue
	}
	return wideValue
}

func (y *values) width() int { return width(y.narrow != nil) }

// isNarrow tells whether a value is the same as a whole number of 16 bits.
func isNarrow(v float32) bool { return v >= 0 && v <= 1<<16-1 && v == float32(uint16(v)) }

// newValues makes n values that are all the same.
func newValues(narrow bool, v float32, n int) *values {
	if narrow {
		return &values{narrow: repeated(uint16(v), n)}
	}
	return &values{wide: repeated(v, n)}
}

// valuesOf makes values of those of each row, narrow ones if all are.
func valuesOf(list []float32) *values {
	for _, v := range list {
		if !isNarrow(v) {
			return &values{wide: list}
		}
	}
	y := &values{narrow: make([]uint16, len(list))}
	for i, v := range list {
		y.narrow[i] = uint16(v)
	}
	return y
}

func repeated[T any](v T, n int) []T {
	out := make([]T, n, n+blockRows)
	for i := range out {
		out[i] = v
	}
	return out
}

func (y *values) len() int { return max(len(y.narrow), len(y.wide)) }

// at returns the value in a row.
func (y *values) at(row int) float64 {
	if y.narrow != nil {
		return float64(y.narrow[row])
	}
	return float64(y.wide[row])
}

// add adds a value, which is narrow if the others are.
func (y *values) add(v float32) {
	if y.narrow != nil {
		y.narrow = append(roomy(y.narrow), uint16(v))
	} else {
		y.wide = append(roomy(y.wide), v)
	}
}

// widen makes place for other than narrow values.
func (y *values) widen() {
	y.wide = make([]float32, len(y.narrow), cap(y.narrow))
	for i, v := range y.narrow {
		y.wide[i] = float32(v)
	}
	y.narrow = nil
}

// cut gives up the values from n on.
func (y *values) cut(n int) {
	if y.narrow != nil {
		y.narrow = y.narrow[:n]
	} else {
		y.wide = y.wide[:n]
	}
}

// roomy makes sure that one more has room: as much as is sure to be needed, and
// not twice as much.
func roomy[T any](list []T) []T {
	if n := len(list); n == cap(list) {
		return append(make([]T, 0, n+max(blockRows, n/4)), list...)
	}
	return list
}

// thinned is what stays of a list of rows, in its memory.
func thinned[T any](list []T, keep func(row int) bool) []T {
	k := 0
	for r := range list {
		if keep(r) {
			list[k] = list[r]
			k++
		}
	}
	return list[:k]
}
