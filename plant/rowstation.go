package plant

import "github.com/weir-ics/weir/protocols"

// newRowOutstation is an outstation that holds what the rows give it.
func newRowOutstation(st *csvStation) *outstation {
	o := &outstation{told: -1}
	for _, t := range st.tags {
		k := analogInputs
		if t.Table == protocols.KindBinaryInput {
			k = binaryInputs
		}
		for len(o.points[k]) <= int(t.Address) {
			o.points[k] = append(o.points[k], rtuPoint{scale: 1, float: k == analogInputs, lieLabel: -1, absent: true})
		}
		o.points[k][t.Address].name, o.points[k][t.Address].absent = t.Name, false
	}
	o.row = st
	return o
}

// setRow takes the values of a row.
func (o *outstation) setRow(values []float64) {
	for i := range o.row.tags {
		t := &o.row.tags[i]
		k := analogInputs
		if t.Table == protocols.KindBinaryInput {
			k = binaryInputs
		}
		v := values[i]
		if k == binaryInputs && v != 0 {
			v = 1
		}
		o.points[k][t.Address].value = v
	}
}
