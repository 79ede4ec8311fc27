package detect

import (
	"sort"
	"strings"
	"sync"

	"github.com/weir-ics/weir/protocols"
)

// The kinds of the behaviour detectors. Techniques are MITRE ATT&CK for ICS.
var (
	KindAssetNew = &Kind{Name: "asset.new", Severity: protocols.Medium,
		Meaning:    "A host that was not there in the learning takes part in the network.",
		Decision:   "No statistic: the set of hosts is learned, and this address is not in it.",
		Action:     "Find out what the device is and who connected it; approve it if it belongs here.",
		Techniques: []string{"T0864", "T0848"}}
	KindMACChanged = &Kind{Name: "asset.mac-changed", Severity: protocols.High,
		Meaning:    "A known IP address is used by another network card: a swapped device, or someone in the middle.",
		Decision:   "No statistic: the pairs of IP and MAC address are learned, and this pair is not among them. While the known card goes on sending, it is two cards for one address.",
		Action:     "Ask whether the device was replaced. If not, look at the switch port of the new MAC address.",
		Techniques: []string{"T0830"}}
	KindLinkNew = &Kind{Name: "link.new", Severity: protocols.Medium,
		Meaning:    "Two known hosts speak a control protocol with each other for the first time.",
		Decision:   "No statistic: the set of links (client, server, protocol, unit or DNP3 addresses) is learned, and this one is not in it.",
		Action:     "Ask who set it up. Look at what the client asked for, in the packets of the alert.",
		Techniques: []string{"T0848", "T0869"}}
	KindRoleNew = &Kind{Name: "role.new", Severity: protocols.High,
		Meaning:    "A host that has only ever answered begins to ask or to command: a controller that acts as a master.",
		Decision:   "No statistic: the roles a host plays are learned; it was never a client of this protocol.",
		Action:     "Treat the host as compromised until shown otherwise; check the target's outputs against the process.",
		Techniques: []string{"T0848", "T0855"}}
	KindConnectionNew = &Kind{Name: "connection.new", Severity: protocols.Low,
		Meaning:    "A host opens, or tries to open, a connection to a host and port where there was none before.",
		Decision:   "No statistic: client, server and service port are learned; pairs that use changing high ports are learned as such.",
		Action:     "Find out which program opened it. Between controllers, or from one to the outside, take it seriously.",
		Techniques: []string{"T0886", "T0866"}}
	KindUnitNew = &Kind{Name: "unit.new", Severity: protocols.Medium,
		Meaning:    "A known client addresses a unit (or DNP3 address) behind a known server that it never addressed before.",
		Decision:   "No statistic: the units of each link are learned.",
		Action:     "Ask whether a device was added behind the gateway.",
		Techniques: []string{"T0888", "T0846"}}
	KindFunctionNew = &Kind{Name: "function.new", Severity: protocols.Medium,
		Meaning:    "A known client uses a function that it never used towards this device.",
		Decision:   "The functions of a link are learned. How surprising a new one is follows from the Good-Turing estimate of the unseen (Good 1953): while it is high, the severity is lower.",
		Action:     "Ask what the client's operator was doing; look at the request and the answer.",
		Techniques: []string{"T0855", "T0888"}}
	KindCommandNew = &Kind{Name: "command.new", Severity: protocols.High,
		Meaning:    "A host that has only ever read now changes something: it writes or operates.",
		Decision:   "The effects of the functions of each client are learned; it never changed anything before.",
		Action:     "Check the output or value against the process at once, then ask who did it from that host.",
		Techniques: []string{"T0855", "T0836"}}
	KindAddressNew = &Kind{Name: "address.new", Severity: protocols.Medium,
		Meaning:    "A known client reads, writes or operates addresses that it never touched on this device.",
		Decision:   "Addresses are learned as runs for each link, table and kind of access. Good-Turing (Good 1953) tells how finished that is: while much is unseen, the severity is lower.",
		Action:     "Look up what the address is. A write or an operation to a new output deserves a question to the operator.",
		Techniques: []string{"T0855", "T0861"}}
	KindPointNew = &Kind{Name: "object.new", Severity: protocols.Low,
		Meaning:    "A device reports points that it never reported before.",
		Decision:   "The points a device reports are learned as runs; these are not among them.",
		Action:     "Ask whether the device's configuration was changed.",
		Techniques: []string{"T0856"}}
	KindConfigureNew = &Kind{Name: "configure.new", Severity: protocols.Medium,
		Meaning:    "A client changes how a device behaves (classes, unsolicited reporting, freezing), which it never did before.",
		Decision:   "The functions of a link are learned; none with this effect was among them.",
		Action:     "Ask for the change order. Disabled unsolicited reporting hides what happens next.",
		Techniques: []string{"T0878", "T0804", "T0836"}}
	KindProgramAccess = &Kind{Name: "program.access", Severity: protocols.Critical,
		Meaning:    "A client reads or replaces the program of a device, or starts or stops it, which it never did before.",
		Decision:   "The functions of a link are learned; none with this effect was among them.",
		Action:     "Compare the device's program with the approved version, and ask engineering whether this was them.",
		Techniques: []string{"T0843", "T0845", "T0858"}}
	KindRestartCommand = &Kind{Name: "restart.command", Severity: protocols.High,
		Meaning:    "A client restarts a device or its communication, which it never did before.",
		Decision:   "The functions of a link are learned; none with this effect was among them.",
		Action:     "Check that the device is back and its outputs are where they should be; ask who did it.",
		Techniques: []string{"T0816", "T0814"}}
	KindTimeSet = &Kind{Name: "time.set", Severity: protocols.Medium,
		Meaning:    "A client that never did so sets the clock of a device.",
		Decision:   "The functions of a link are learned; none with this effect was among them.",
		Action:     "Compare the device's clock with a trusted one: events with a wrong time mislead whoever reads them.",
		Techniques: []string{"T0855", "T0872"}}
	KindFileTransfer = &Kind{Name: "file.transfer", Severity: protocols.High,
		Meaning:    "A client reads, writes or deletes files on a device, which it never did before.",
		Decision:   "The functions of a link are learned; none with this effect was among them.",
		Action:     "Find out which file. A configuration or firmware file must match an approved one.",
		Techniques: []string{"T0843", "T0857", "T0809"}}
	KindBroadcast = &Kind{Name: "message.broadcast", Severity: protocols.High,
		Meaning:    "A message was sent to all devices at once, which was never seen on this link.",
		Decision:   "Whether a link broadcasts, and with which functions, is learned.",
		Action:     "Check every device that hears the broadcast.",
		Techniques: []string{"T0855", "T0806"}}

	KindExceptionNew = &Kind{Name: "exception.new", Severity: protocols.Low,
		Meaning:    "A device refuses a request for a reason that it never gave on this link.",
		Decision:   "The exception codes of a link are learned.",
		Action:     "Illegal function or address is what someone who does not know the device gets: look at who asked.",
		Techniques: []string{"T0888"}}
	KindExceptionBurst = &Kind{Name: "burst.exception", Severity: protocols.Medium,
		Meaning:    "A device refuses far more requests than usual.",
		Decision:   "Exceptions among the answers of a window against the learned share, by the Chernoff bound of the binomial (Chernoff 1952) at the false-alarm budget.",
		Action:     "Look at what is asked: a scan, or a client configured for another device.",
		Techniques: []string{"T0888", "T0806"}}
	KindIINNew = &Kind{Name: "iin.new", Severity: protocols.Low,
		Meaning:    "A DNP3 outstation reports an internal indication that it never reported.",
		Decision:   "The indications each outstation has shown are learned; the severity follows what the bit says.",
		Action:     "Device trouble, configuration corrupt and already executing need a look at the device.",
		Techniques: []string{"T0814"}}
	KindMalformedBurst = &Kind{Name: "burst.malformed", Severity: protocols.Low,
		Meaning:    "Messages that break the standard, in a way known on this link, come far more often than usual.",
		Decision:   "Violations in a window against the learned share, by the Chernoff bound of the binomial (Chernoff 1952) at the false-alarm budget.",
		Action:     "A failing line or device, or someone who tries what the device makes of it.",
		Techniques: []string{"T0814"}}

	KindPollStopped = &Kind{Name: "timing.poll-stopped", Severity: protocols.Medium,
		Meaning:    "A request that came like clockwork does not come any more.",
		Decision:   "Intervals are learned for each request, winsorised against outliers (Tukey 1962); a regular request is overdue after the largest of four mean intervals, eight standard deviations, three seconds, and one and a half times any habitual gap. From four devices of the same client on it is one alert about the client.",
		Action:     "Check that the client runs and the line to it is up: nobody watches the device meanwhile.",
		Techniques: []string{"T0804", "T0803", "T0829"}}
	KindPollPace = &Kind{Name: "timing.poll-pace", Severity: protocols.Low,
		Meaning:    "A regular request comes faster or slower than it did.",
		Decision:   "A two-sided CUSUM (Page 1954) over standardised, clipped intervals; its threshold by Siegmund's approximation (1985) from the false-alarm budget.",
		Action:     "Ask whether the client was reconfigured; faster can be a second program behind the same address.",
		Techniques: []string{"T0802"}}
	KindResponseLate = &Kind{Name: "timing.response-late", Severity: protocols.Low,
		Meaning:    "A device answers later than it ever plausibly did, again and again.",
		Decision:   "Peaks over threshold (Pickands 1975; Siffer et al. 2017) on the response times of the link at the false-alarm budget; three such answers within eight.",
		Action:     "An overloaded device, a longer path, or someone between.",
		Techniques: []string{"T0830", "T0814"}}
	KindHours = &Kind{Name: "timing.hours", Severity: protocols.Low,
		Meaning:    "A command comes at an hour of the week at which this link never saw one.",
		Decision:   "Commands are counted by hour of the week (UTC); judged only after four learned weeks and fifty commands.",
		Action:     "Ask the shift who gave the command.",
		Techniques: []string{"T0855"}}
	KindDeviceSilent = &Kind{Name: "device.silent", Severity: protocols.Medium,
		Meaning:    "A device does not answer any more.",
		Decision:   "Five requests in a row without an answer, on a link where that never happened in the learning (or twice its longest such run).",
		Action:     "Check the device and its line. Its values on the screens are stale.",
		Techniques: []string{"T0814", "T0804"}}
	KindDeviceRestarted = &Kind{Name: "device.restarted", Severity: protocols.Low,
		Meaning:    "A DNP3 outstation says that it restarted (IIN1.7).",
		Decision:   "The bit rises on a link where it was down; higher if no restart was ever seen on it.",
		Action:     "Check why, and whether its outputs and configuration are as before.",
		Techniques: []string{"T0816"}}

	KindFloodMessages = &Kind{Name: "flood.messages", Severity: protocols.Medium,
		Meaning:    "A link carries far more messages than it ever did.",
		Decision:   "Messages in a window against peaks over threshold (Siffer et al. 2017) of the learned windows, and at least three times the most ever seen.",
		Action:     "Find the program that sends them; a device that is kept busy does not control.",
		Techniques: []string{"T0814", "T0806"}}
	KindFloodHosts = &Kind{Name: "flood.hosts", Severity: protocols.High,
		Meaning:    "Very many unknown addresses appear at once: a spoofed flood, or a capture of another network.",
		Decision:   "More unknown hosts within the burst window than the setting allows. They are counted, not listed; what was learned is not given up for them.",
		Action:     "Find the switch port they come from.",
		Techniques: []string{"T0814"}}
	KindFloodConnections = &Kind{Name: "flood.connections", Severity: protocols.Medium,
		Meaning:    "A host opens far more connections to a service than ever before.",
		Decision:   "Attempts in a window against three times the most learned, and at least thirty.",
		Action:     "A device has few connections to give: check that its masters can still reach it.",
		Techniques: []string{"T0814"}}

	KindScanHost = &Kind{Name: "scan.host", Severity: protocols.High,
		Meaning:    "A host tries one other host after the other.",
		Decision:   "Distinct new destinations by one host, remembered for a week so that slow scans add up; after Jung et al. (2004), a handful of first contacts settles it where destinations are learned.",
		Action:     "Isolate the host and find out what runs on it.",
		Techniques: []string{"T0846", "T0840"}}
	KindScanPort = &Kind{Name: "scan.port", Severity: protocols.High,
		Meaning:    "A host tries one port after the other on the same host.",
		Decision:   "Distinct new ports by one host on one host, remembered for a week.",
		Action:     "Isolate the host and find out what runs on it.",
		Techniques: []string{"T0846"}}
	KindScanUnit = &Kind{Name: "scan.unit", Severity: protocols.High,
		Meaning:    "A client tries one unit identifier (or DNP3 address) after the other.",
		Decision:   "Distinct new units or addresses by one client on one server, remembered for a week.",
		Action:     "Someone maps what is behind the gateway: find out who is at the client.",
		Techniques: []string{"T0846", "T0888"}}
	KindScanRegister = &Kind{Name: "scan.register", Severity: protocols.High,
		Meaning:    "A client walks through the addresses of a device.",
		Decision:   "Distinct new addresses by one client on one server, remembered for a week; refused ones count as much as answered ones.",
		Action:     "Someone maps the device's memory: find out who is at the client.",
		Techniques: []string{"T0861", "T0801"}}
	KindScanFunction = &Kind{Name: "scan.function", Severity: protocols.High,
		Meaning:    "A client tries one function code after the other on a device.",
		Decision:   "Distinct new functions by one client on one server, remembered for a week.",
		Action:     "Someone tries what the device can do: find out who is at the client.",
		Techniques: []string{"T0888"}}

	KindOperateWithoutSelect = &Kind{Name: "sequence.operate-without-select", Severity: protocols.High,
		Meaning:    "An output was operated without the select that must come before it.",
		Decision:   "IEEE 1815-2012, 4.4.3: an operate repeats the select that came just before it, with the next sequence number.",
		Action:     "Check the output. A proper master always selects: look for another sender behind its address.",
		Techniques: []string{"T0855", "T0848"}}
	KindSelectDiffers = &Kind{Name: "sequence.select-differs", Severity: protocols.High,
		Meaning:    "An operate names other points or codes than the select before it.",
		Decision:   "IEEE 1815-2012, 4.4.3: the objects of the operate are identical to those of the select.",
		Action:     "Check both outputs; someone may change messages on their way.",
		Techniques: []string{"T0855", "T0830"}}
	KindUnsolicitedNew = &Kind{Name: "sequence.unsolicited", Severity: protocols.Low,
		Meaning:    "A device reports unasked, which it never did before.",
		Decision:   "Whether a device reports unasked is learned.",
		Action:     "Ask whether unsolicited reporting was enabled; if not, someone may answer in its place.",
		Techniques: []string{"T0856"}}
	KindAnsweredTwice = &Kind{Name: "sequence.answered-twice", Severity: protocols.High,
		Meaning:    "A request got two answers: somebody else may be answering too.",
		Decision:   "No statistic: each request has one answer (Modbus Application Protocol V1.1b3, 4.1). A link that did so in the learning is not told again.",
		Action:     "Compare the two answers in the packets of the alert, and their network cards.",
		Techniques: []string{"T0830", "T0856"}}
	KindResponseUnasked = &Kind{Name: "sequence.response-without-request", Severity: protocols.Medium,
		Meaning:    "An answer came that no request asked for.",
		Decision:   "No statistic: an answer belongs to a request (Modbus Application Protocol V1.1b3, 4.1; IEEE 1815-2012, 4.3). What the tap lost is taken into account.",
		Action:     "Look whether the answer came from the device's own network card; forged values are brought in this way.",
		Techniques: []string{"T0856", "T0830"}}
	KindUnsolicitedTurn = &Kind{Name: "sequence.unsolicited-out-of-turn", Severity: protocols.Medium,
		Meaning:    "An outstation reports unasked although its master switched that off.",
		Decision:   "No statistic: IEEE 1815-2012, 4.4.",
		Action:     "Look whether the report came from the outstation's own network card; forged events are brought in this way.",
		Techniques: []string{"T0856"}}
	KindSize = &Kind{Name: "message.size", Severity: protocols.Low,
		Meaning:    "A message of a function whose size does not follow from its addresses is longer than any before.",
		Decision:   "The longest request of each function without addresses is learned from at least 200 of them; this one is more than twice as long.",
		Action:     "Look what the message carries: a program, a file, or data that does not belong there.",
		Techniques: []string{"T0843", "T0869"}}
	KindTakeover = &Kind{Name: "sequence.restart-time-configure", Severity: protocols.High,
		Meaning:    "A device was restarted, its clock set and its reporting configured by the same host, which never did so: the pattern of a takeover.",
		Decision:   "Restart, time and configure effects by one client on one server within an hour, at least one of them never seen on the link.",
		Action:     "Compare the device's configuration with the approved one.",
		Techniques: []string{"T0816", "T0836", "T0855"}}

	KindARPConflict = &Kind{Name: "network.arp-conflict", Severity: protocols.High,
		Meaning:    "An ARP answer claims a known IP address for another network card.",
		Decision:   "No statistic: the pairs of IP and MAC address are learned, and this pair is not among them.",
		Action:     "Look for the switch port of that MAC address: this is how one gets between two hosts.",
		Techniques: []string{"T0830"}}
	KindARPUnasked = &Kind{Name: "network.arp-unasked", Severity: protocols.Medium,
		Meaning:    "A host answers ARP questions that nobody asked, again and again.",
		Decision:   "An answer counts as unasked if no question for its address was seen for a minute before. One is common (an address announcement); five by the same card within a minute are not.",
		Action:     "Look for the switch port of that MAC address: this is how one gets between two hosts.",
		Techniques: []string{"T0830"}}
	KindOverlap = &Kind{Name: "network.tcp-overlap", Severity: protocols.High,
		Meaning:    "A TCP segment came a second time with other content: two senders behind one address.",
		Decision:   "No statistic: a retransmission repeats the same bytes (RFC 9293, 3.10.7.4).",
		Action:     "Compare both contents in the preserved packets; one of them did not come from the host.",
		Techniques: []string{"T0830", "T0856"}}
	KindTTLChanged = &Kind{Name: "network.ttl-changed", Severity: protocols.Medium,
		Meaning:    "Packets of a known host come over another number of hops, or from another system, than before.",
		Decision:   "The time-to-live values of each host are learned; this one is not among them.",
		Action:     "Ask whether the network was changed; else look for a second host behind the address.",
		Techniques: []string{"T0830", "T0848"}}

	KindStorm = &Kind{Name: "storm", Severity: protocols.High,
		Meaning:    "More alerts were due than a person can read; the rest are counted here by kind.",
		Decision:   "More alerts raised within the storm window than the ceiling allows.",
		Action:     "Begin with the incidents of this time; then raise the ceiling or fix what repeats.",
		Techniques: nil}
)

var kinds = []*Kind{
	KindAssetNew, KindMACChanged, KindLinkNew, KindRoleNew, KindConnectionNew, KindUnitNew, KindFunctionNew, KindCommandNew,
	KindAddressNew, KindPointNew, KindConfigureNew, KindProgramAccess, KindRestartCommand, KindTimeSet, KindFileTransfer,
	KindBroadcast, KindExceptionNew, KindExceptionBurst, KindIINNew, KindMalformedBurst, KindPollStopped, KindPollPace,
	KindResponseLate, KindHours, KindDeviceSilent, KindDeviceRestarted, KindFloodMessages, KindFloodHosts, KindFloodConnections,
	KindScanHost, KindScanPort, KindScanUnit, KindScanRegister, KindScanFunction, KindOperateWithoutSelect, KindSelectDiffers,
	KindUnsolicitedNew, KindAnsweredTwice, KindResponseUnasked, KindUnsolicitedTurn, KindSize, KindTakeover, KindARPConflict, KindARPUnasked, KindOverlap, KindTTLChanged, KindStorm,
	KindPacketsLost, KindValuesSkipped, KindInterfaceDown,
}

// Kinds returns the kinds of the behaviour detectors in alphabetical order. The
// process detectors, the rules and the conformance checks bring their own.
func Kinds() []*Kind {
	out := append([]*Kind(nil), kinds...)
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// sequenceKinds are violations that are kinds of their own: what a master does
// out of order matters more than how a message is written.
var sequenceKinds = map[string]*Kind{
	".operate-without-select":   KindOperateWithoutSelect,
	".select-operate-differ":    KindSelectDiffers,
	".answered-twice":           KindAnsweredTwice,
	".response-without-request": KindResponseUnasked,
	".unsolicited-response":     KindResponseUnasked,
	".unsolicited-exception":    KindResponseUnasked,
	".unsolicited-disabled":     KindUnsolicitedTurn,
}

// conformance maps a violation kind to the kind of finding it makes. It is
// written the first time a violation is seen anywhere in the process.
var conformance sync.Map

// ConformanceKind returns the kind of finding that a violation makes. Equal
// violations have the same kind.
func ConformanceKind(v *protocols.ViolationKind) *Kind {
	for suffix, k := range sequenceKinds {
		if strings.HasSuffix(v.Name, suffix) {
			return k
		}
	}
	if k, ok := conformance.Load(v); ok {
		return k.(*Kind)
	}
	k, _ := conformance.LoadOrStore(v, &Kind{
		Name:     conformanceName(v.Name),
		Severity: v.Severity,
		Meaning:  v.Meaning,
		Decision: "No statistic: the standard forbids it (" + v.Clause + "). What a link did in the learning is its habit and is not raised again.",
		Action:   "Look at the message in the packets of the alert: a faulty device, a poor line, or someone who tries what the device makes of it.",
	})
	return k.(*Kind)
}

func conformanceName(name string) string {
	const prefix = "conformance."
	if len(name) >= len(prefix) && name[:len(prefix)] == prefix {
		return name
	}
	return prefix + name
}
