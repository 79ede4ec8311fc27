package process

// predict finds what the weights of all members, and those of their anchors, make of
// the explaining values x: in expect for members, and behind them for anchors.
//
// Four are added up side by side. An addition waits for the one before it, so that one
// sum alone keeps the processor waiting for most of the time; four take little longer
// than one. The order within each sum, on which its last bits depend, stays.
func (r *relation) predict(x []float64) {
	d := len(r.members)
	var sums [4]predictor
	n := 0
	for j := range r.members {
		m := &r.members[j]
		sums[n] = predictor{m.weights, &r.expect[j], 0}
		if n++; n == len(sums) {
			predictFour(&sums, x)
			n = 0
		}
		if m.anchor == nil {
			continue
		}
		sums[n] = predictor{m.anchor.weights, &r.expect[d+j], m.anchor.bias}
		if n++; n == len(sums) {
			predictFour(&sums, x)
			n = 0
		}
	}
	if n > 0 {
		for k := n; k < len(sums); k++ {
			sums[k] = sums[0]
		}
		predictFour(&sums, x)
	}
}

// predictor is a sum of weighted explaining values: where it begins, and where it
// goes.
type predictor struct {
	weights []float32
	to      *float64
	from    float64
}

func predictFour(sums *[4]predictor, x []float64) {
	a := sums[0].weights[:len(x)]
	b := sums[1].weights[:len(x)]
	c := sums[2].weights[:len(x)]
	d := sums[3].weights[:len(x)]
	p, q, r, s := sums[0].from, sums[1].from, sums[2].from, sums[3].from
	for i, v := range x {
		p += float64(a[i]) * v
		q += float64(b[i]) * v
		r += float64(c[i]) * v
		s += float64(d[i]) * v
	}
	*sums[0].to, *sums[1].to, *sums[2].to, *sums[3].to = p, q, r, s
}
