package tags

import "github.com/weir-ics/weir/protocols"

// register is what type inference gathers of one register.
type register struct{}

func (x *Extractor) learn(key tableKey, points []protocols.Point, i int, s *slot) {}
