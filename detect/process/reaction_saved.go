package process

import (
	"fmt"
	"math"
	"net/netip"

	"github.com/weir-ics/weir/protocols"
)

// savedReaction is a consequence that reaches a measurement or another device, as
// part of the commands it follows. Points are named by what they are, so that it
// outlives merging.
type savedReaction struct {
	Value float64 `json:"value,omitempty"`
	// Turn is 1 if it follows the raising of the point, -1 the lowering, 0 the value.
	Turn   int8       `json:"turn,omitempty"`
	Effect savedPlace `json:"effect"`
	To     float64    `json:"to,omitempty"`
	By     float64    `json:"by,omitempty"`
	// From is where a measurement was when the command was given.
	From   [2]float64 `json:"from"`
	Within int64      `json:"within"`
	N      uint32     `json:"n"`
	Of     uint32     `json:"of"`
	// Only tells that it never came without a command.
	Only bool        `json:"only,omitempty"`
	Gate *savedPlace `json:"gate,omitempty"`
	Is   float64     `json:"is,omitempty"`
}

// savedPlace names a point.
type savedPlace struct {
	Device netip.Addr `json:"device"`
	Proto  string     `json:"proto"`
	Unit   uint16     `json:"unit"`
	Kind   string     `json:"kind"`
	Index  uint32     `json:"index"`
}

func placeOf(p *point) savedPlace {
	s := p.series
	return savedPlace{s.Device, s.Proto.String(), s.Unit, s.Kind.String(), s.Index}
}

func (s *savedPlace) key() (k pointKey, err error) {
	k = pointKey{device: s.Device, unit: s.Unit, index: s.Index}
	if k.proto, err = parseName(s.Proto, protocols.NumProtos, protocols.Proto.String); err != nil {
		return k, fmt.Errorf("proto: %w", err)
	}
	if k.kind, err = parseName(s.Kind, protocols.NumPointKinds, protocols.PointKind.String); err != nil {
		return k, fmt.Errorf("kind: %w", err)
	}
	return k, nil
}

// far tells that k is saved as a reaction.
func (k *consequence) far() bool {
	return k.by != 0 || k.turn != 0 || k.gate != nil || k.effect.series.Device != k.cause.series.Device
}

func (c *commands) saveReactions() []savedReaction {
	var out []savedReaction
	for _, o := range c.outcomes {
		for _, k := range o.consequences {
			if !k.far() {
				continue
			}
			s := savedReaction{Value: k.value, Turn: k.turn, Effect: placeOf(k.effect), To: k.to, By: k.by, From: [2]float64{k.low, k.high}, Within: k.longest, Only: k.only, N: k.n, Of: k.of}
			if k.gate != nil {
				gate := placeOf(k.gate)
				s.Gate, s.Is = &gate, k.gateIs
			}
			out = append(out, s)
		}
	}
	return out
}

// reactions takes over what was saved of p. What has no such points any more, or
// points of another nature after merging, is let go.
func (l *loader) reactions(p *point, c *commands, saved []savedReaction) error {
	for i := range saved {
		s := &saved[i]
		k, err := l.reaction(p, s)
		if err != nil {
			return fmt.Errorf("%s has a reaction whose %w", p.id(), err)
		}
		if k == nil {
			continue
		}
		o := c.outcomeOf(k.value, k.turn)
		if o == nil {
			if len(c.outcomes) == maxStates+2 {
				continue
			}
			c.outcomes = append(c.outcomes, outcome{value: k.value, turn: k.turn})
			o = &c.outcomes[len(c.outcomes)-1]
		}
		if len(o.consequences) < perCommand+perEcho && l.engine.connect(k) {
			o.consequences = append(o.consequences, k)
		}
	}
	return nil
}

// reaction makes a consequence of what was saved, nil if it is none any more.
func (l *loader) reaction(p *point, s *savedReaction) (*consequence, error) {
	if s.Within < 1 || s.Within > delays[len(delays)-1] || s.N < 1 || s.Of < s.N || s.Turn < -1 || s.Turn > 1 || math.IsNaN(s.By) {
		return nil, fmt.Errorf("numbers are out of their bounds: %d of %d, within %d ns, turn %d", s.N, s.Of, s.Within, s.Turn)
	}
	key, err := s.Effect.key()
	if err != nil {
		return nil, err
	}
	q := l.engine.points.get(key)
	k := &consequence{cause: p, value: s.Value, turn: s.Turn, effect: q, to: s.To, by: s.By, low: s.From[0], high: s.From[1], longest: s.Within, only: s.Only && s.By != 0, n: s.N, of: s.Of}
	if s.Gate != nil {
		if key, err = s.Gate.key(); err != nil {
			return nil, fmt.Errorf("gate has a %w", err)
		}
		if k.gate, k.gateIs = l.engine.points.get(key), s.Is; k.gate == nil {
			return nil, nil
		}
	}
	if q == nil || q == p {
		return nil, nil
	}
	switch q.profile.nature {
	case natureState:
		if s.By != 0 {
			return nil, nil
		}
	case natureContinuous, natureDrifting:
		if s.By == 0 {
			return nil, nil
		}
	default:
		return nil, nil
	}
	return k, nil
}

// same tells whether two say the same but for the evidence.
func (s *savedReaction) same(o *savedReaction) bool {
	gate := func(r *savedReaction) savedPlace {
		if r.Gate == nil {
			return savedPlace{}
		}
		return *r.Gate
	}
	return s.Value == o.Value && s.Turn == o.Turn && s.Effect == o.Effect && s.To == o.To && (s.By > 0) == (o.By > 0) && (s.By < 0) == (o.By < 0) &&
		gate(s) == gate(o) && s.Is == o.Is
}

// mergeReactions puts the reactions of two learnings of a command together, as
// mergeEffects does: the longest time and the least move hold for both.
func mergeReactions(a, b *savedCommand) []savedReaction {
	var out []savedReaction
	find := func(list []savedReaction, s *savedReaction) *savedReaction {
		for i := range list {
			if list[i].same(s) {
				return &list[i]
			}
		}
		return nil
	}
	for _, x := range a.Reactions {
		if y := find(b.Reactions, &x); y != nil {
			x.N, x.Of, x.Within = x.N+y.N, x.Of+y.Of, max(x.Within, y.Within)
			x.Only = x.Only && y.Only
			x.From = [2]float64{math.Min(x.From[0], y.From[0]), math.Max(x.From[1], y.From[1])}
			if math.Abs(y.By) < math.Abs(x.By) {
				x.By = y.By
			}
		} else if b.N >= enoughConsequences {
			continue
		} else {
			x.Only = false // what came in the other without a command is not known
		}
		out = append(out, x)
	}
	for _, y := range b.Reactions {
		if find(a.Reactions, &y) == nil && a.N < enoughConsequences {
			y.Only = false
			out = append(out, y)
		}
	}
	return out
}
