package detect

import (
	"slices"

	"github.com/weir-ics/weir/protocols"
	"github.com/weir-ics/weir/protocols/dnp3"
	"github.com/weir-ics/weir/protocols/modbus"
)

// danger is how far a message goes, for what an approval covers. What only looks
// is ordered: who may ask for a status may read. What changes something is not:
// who may configure a device may not therefore operate its outputs.
type danger uint8

const (
	// toBeThere is to send packets, to connect, to keep a connection up.
	toBeThere danger = iota
	toRead
	// toAsk is for status and identity, and to open a session.
	toAsk
	toCommand
	toConfigure
	toSetTime
	toUseFiles
	toRestart
	toProgram
	// toDoUnknown is a function that weir does not know.
	toDoUnknown
	numDangers
)

var dangerNames = [numDangers]string{"presence", "read", "ask", "command", "configure", "time", "file", "restart", "program", "unknown"}

func (d danger) String() string { return dangerNames[d] }

func dangerByName(name string) (d danger, ok bool) {
	i := slices.Index(dangerNames[:], name)
	return danger(max(i, 0)), i >= 0
}

// effectDangers ranks what protocols say of their functions. This is the one
// place where that is decided.
var effectDangers = [protocols.NumEffects]danger{
	protocols.EffectNone: toDoUnknown,
	protocols.Read:       toRead,
	protocols.Diagnose:   toAsk, protocols.Session: toAsk,
	protocols.Write: toCommand, protocols.Control: toCommand,
	protocols.Configure: toConfigure, protocols.Time: toSetTime, protocols.FileAccess: toUseFiles,
	protocols.Restart: toRestart, protocols.Program: toProgram,
}

func (d danger) changes() bool { return d > toAsk }

// within tells whether who approved something of danger approved approves d too.
func (d danger) within(approved danger) bool {
	if d.changes() {
		return d == approved && d != toDoUnknown
	}
	return d <= approved
}

// dangerOf is the danger of a message. What a device answers is as dangerous as
// what it was asked for.
func dangerOf(proto protocols.Proto, role protocols.Role, effect protocols.Effect) danger {
	switch {
	case role == protocols.RoleConfirm, role == protocols.RoleLink, proto == protocols.ProtoNetwork,
		// A DNP3 response does not say what it answers.
		proto == protocols.ProtoDNP3 && effect == protocols.EffectNone && role != protocols.RoleRequest:
		return toBeThere
	}
	return effectDangers[effect]
}

func dangerOfEvent(e *protocols.Event) danger { return dangerOf(e.Proto, e.Role, e.Effect) }

// dangerOfFinding is that of what a finding is about, by what an alert that was
// written and read still says.
func dangerOfFinding(f *Finding) danger {
	for effect, k := range effectKinds {
		if k != nil && k == f.Kind {
			return effectDangers[effect]
		}
	}
	return dangerOfFunction(f.Proto, f.Function, f.FunctionName)
}

// dangerOfFunction is that of a function by its code and the name that events
// give it, as an alert has them; function is -1 where there is none.
func dangerOfFunction(proto protocols.Proto, function int, name string) danger {
	if function < 0 || function > 255 || proto == protocols.ProtoNetwork {
		return toBeThere
	}
	code := uint8(function)
	switch proto {
	case protocols.ProtoModbus:
		f := modbus.Lookup(code)
		if f.Name == name {
			return effectDangers[f.Effect]
		}
		for i := range f.Subs {
			if f.Subs[i].Title == name {
				return effectDangers[f.Subs[i].Effect]
			}
		}
	case protocols.ProtoDNP3:
		switch {
		case code == dnp3.FunctionConfirm, code == dnp3.FunctionResponse, dnp3.FunctionName(code) != name: // a frame of the link layer
			return toBeThere
		}
		return effectDangers[dnp3.FunctionEffect(code)]
	}
	return toDoUnknown
}

// changing are the kinds of something new that can change the plant.
var changing = map[*Kind]bool{KindCommandNew: true, KindConfigureNew: true, KindProgramAccess: true, KindRestartCommand: true,
	KindTimeSet: true, KindFileTransfer: true, KindBroadcast: true}

// changesPlant tells whether what a finding is about may change something, for
// how it is said and how severe a scan is. It goes by the techniques that it can
// be a sign of, so it says yes too often to decide what an approval covers.
func changesPlant(f *Finding) bool {
	if changing[f.Kind] {
		return true
	}
	return slices.Contains(f.Techniques, "T0855") || slices.Contains(f.Techniques, "T0836")
}
