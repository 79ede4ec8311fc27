package detect

import (
	"testing"

	"github.com/weir-ics/weir/protocols"
	"github.com/weir-ics/weir/protocols/dnp3"
	"github.com/weir-ics/weir/protocols/modbus"
)

func TestAnAlertThatIsReadIsAsDangerousAsTheRequestItIsAbout(t *testing.T) {
	check := func(proto protocols.Proto, code uint8, name string, effect protocols.Effect) {
		t.Helper()
		if got, want := dangerOfFunction(proto, int(code), name), dangerOf(proto, protocols.RoleRequest, effect); got != want {
			t.Errorf("%s %s (%d) is %s in an alert and %s on the wire", proto, name, code, got, want)
		}
	}
	for code := range 128 {
		f := modbus.Lookup(uint8(code))
		check(protocols.ProtoModbus, uint8(code), f.Name, f.Effect)
		for _, s := range f.Subs {
			check(protocols.ProtoModbus, uint8(code), s.Title, s.Effect)
		}
	}
	for code := 1; code < int(dnp3.FunctionResponse); code++ {
		check(protocols.ProtoDNP3, uint8(code), dnp3.FunctionName(uint8(code)), dnp3.FunctionEffect(uint8(code)))
	}
	for _, harmless := range []danger{
		dangerOfFunction(protocols.ProtoDNP3, 0, "CONFIRM"), dangerOfFunction(protocols.ProtoDNP3, 0, "RESET_LINK_STATES"),
		dangerOfFunction(protocols.ProtoNetwork, -1, ""),
	} {
		if harmless != toBeThere {
			t.Errorf("what keeps a connection up is %s", harmless)
		}
	}
}

func TestNoChangeIsWithinAnother(t *testing.T) {
	for approved := range numDangers {
		for d := range numDangers {
			if d.changes() && d != approved && d.within(approved) {
				t.Errorf("who approves %s approves %s", approved, d)
			}
			if !d.changes() && d > approved && d.within(approved) {
				t.Errorf("who approves %s approves %s, which goes further", approved, d)
			}
		}
	}
	if toDoUnknown.within(toDoUnknown) {
		t.Error("who approves one unknown function approves all")
	}
}

func TestEveryEffectOfAProtocolHasADanger(t *testing.T) {
	for effect := range protocols.NumEffects {
		if got := effectDangers[effect]; got.changes() != (effect.Changes() || effect == protocols.EffectNone) || got == toBeThere {
			t.Errorf("%s is ranked as %s", effect, got)
		}
	}
}
