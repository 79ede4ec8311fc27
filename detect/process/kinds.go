package process

import (
	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// The kinds of findings about values. Techniques are MITRE ATT&CK for ICS.
var (
	KindRange = &detect.Kind{
		Name: "value.range", Severity: protocols.Medium,
		Meaning:    "A point has a value outside of everything it showed in learning.",
		Decision:   "The tails of the learned values are fitted by a generalised Pareto distribution (peaks over threshold, Siffer et al. 2017); the limit is where the false-alarm budget puts it. A point whose range still grew late in learning is not judged.",
		Action:     "Compare the value with a gauge on site. If it is right, look for who changed the setpoint or the output that drives it.",
		Techniques: []string{"T0836", "T0856"},
	}
	KindLimit = &detect.Kind{
		Name: "value.limit", Severity: protocols.High,
		Meaning:    "A point is outside of the engineering limits that the tag list gives.",
		Decision:   "Comparison with the low and high columns of the tag list.",
		Action:     "Treat it as a process alarm: bring the process back within its limits first.",
		Techniques: []string{"T0836", "T0831"},
	}
	KindRate = &detect.Kind{
		Name: "value.rate", Severity: protocols.Medium,
		Meaning:    "A point moved further from one value to the next than it ever did in learning.",
		Decision:   "Tail of the learned steps by peaks over threshold (Siffer et al. 2017), at the false-alarm budget.",
		Action:     "A jump that no pump or valve explains is a sensor fault or a false value: compare with neighbouring points.",
		Techniques: []string{"T0856", "T0831"},
	}
	KindState = &detect.Kind{
		Name: "value.state", Severity: protocols.Medium,
		Meaning:    "A point that knows only a few values (a status, a mode, a setpoint) has one that it never had, or one that never changed has changed.",
		Decision:   "No statistic: the set of values is learned. How surprising a new one is follows from the Good-Turing estimate (Good 1953).",
		Action:     "Ask what was switched, by whom and why; if the state is wanted, approve it for a time, and learn anew.",
		Techniques: []string{"T0855", "T0858", "T0831"},
	}
	KindTransition = &detect.Kind{
		Name: "value.transition", Severity: protocols.Low,
		Meaning:    "A state went over into another in a way it never did: a step of a sequence was left out or done backwards.",
		Decision:   "No statistic: the changes from one value to another are learned, of states with three values or more that changed at least 50 times; a change that a command explains is not told.",
		Action:     "Look at what the sequence controls; a skipped step is done by hand or by a changed program.",
		Techniques: []string{"T0831", "T0858"},
	}
	KindDwell = &detect.Kind{
		Name: "value.dwell", Severity: protocols.Low,
		Meaning:    "A state lasts far longer than it ever did.",
		Decision:   "Three times the longest stay of learning, of states that were come to at least 12 times (rule of three: Hanley and Lippman-Hand 1983).",
		Action:     "A pump that runs on, or a valve that stays shut: see whether the control that ends it still works.",
		Techniques: []string{"T0831", "T0814"},
	}
	KindStuck = &detect.Kind{
		Name: "value.stuck", Severity: protocols.Medium,
		Meaning:    "A point that always moves has stood still for longer than it ever did.",
		Decision:   "Tail of the learned lengths of rest by peaks over threshold (Siffer et al. 2017), at the false-alarm budget.",
		Action:     "Check the sensor and its wiring; if the process moves while the value stands, someone or something holds it.",
		Techniques: []string{"T0856", "T0832"},
	}
	KindNoise = &detect.Kind{
		Name: "value.noise", Severity: protocols.Low,
		Meaning:    "The small movements of a point have vanished, or become far larger than they were.",
		Decision:   "Mean square of second differences over 32 values, against the learned distribution of its logarithm (a variance-ratio test after von Neumann 1941), at the false-alarm budget.",
		Action:     "Noise that vanishes points at a calculated value instead of a measured one; more noise at a failing sensor or cavitation.",
		Techniques: []string{"T0856", "T0832"},
	}
	KindReplayed = &detect.Kind{
		Name: "value.replayed", Severity: protocols.High,
		Meaning:    "A stretch of a point's values repeats an earlier stretch exactly: recorded values are played back.",
		Decision:   "Longest common run of values against what chance allows (law of the longest run, Erdős and Rényi 1970, with the learned probability that a run goes on).",
		Action:     "Do not trust the display. Look at the process itself and at points that the sender of these values cannot reach.",
		Techniques: []string{"T0856", "T0832"},
	}
	KindCorrelation = &detect.Kind{
		Name: "value.correlation", Severity: protocols.High,
		Meaning:    "Points that belong together no longer agree: what one shows is not what the others imply.",
		Decision:   "Each point is predicted by ridge regression (Hoerl and Kennard 1970) from the others, from points of faster paces, the recent past, and the time of day and week; residuals averaged over 1, 3 and 8 rows, their cumulative sums (CUSUM, Page 1954) and their joint distance (T², Hotelling 1931) are held against thresholds from cross-validation: Student's t and peaks over threshold, at the false-alarm budget.",
		Action:     "Start with the point named first: it contributes most. Compare it and its neighbours with the process on site.",
		Techniques: []string{"T0856", "T0832", "T0831"},
	}
	KindInvariant = &detect.Kind{
		Name: "value.invariant", Severity: protocols.Medium,
		Meaning:    "A rule of the control logic that always held in learning (\"pump on whenever level below 2.1\") is broken.",
		Decision:   "Rules between a state and a measurement with enough separate occurrences in learning (rule of three: Hanley and Lippman-Hand 1983); broken for longer than ever in learning.",
		Action:     "Ask whether the control logic or its setpoint was changed, or an output is driven by hand.",
		Techniques: []string{"T0831", "T0836", "T0821"},
	}
	KindCovert = &detect.Kind{
		Name: "value.covert", Severity: protocols.High,
		Meaning:    "The low digits of a point's values carry something else than the measurement: a hidden channel.",
		Decision:   "Distribution of the last digits and of their changes against the learned one (chi-squared, Pearson 1900), at the false-alarm budget; low below three times what is normal, and where nearly all changes are among five digits side by side, as of a value at rest.",
		Action:     "Isolate the device that sends the values and the one that reads them; keep the packets.",
		Techniques: []string{"T0856", "T0869"},
	}
	KindCounter = &detect.Kind{
		Name: "counter.rate", Severity: protocols.Low,
		Meaning:    "A counter counts faster than ever, or stands still though it always counted.",
		Decision:   "Tail of the learned increments by peaks over threshold (Siffer et al. 2017).",
		Action:     "Check what is counted; a counter that stands still hides consumption.",
		Techniques: []string{"T0856"},
	}
	KindCounterBack = &detect.Kind{
		Name: "counter.backwards", Severity: protocols.Medium,
		Meaning:    "A counter went back without having run over: it was reset, or the device restarted.",
		Decision:   "No statistic: a counter only counts up; a fall from near its end (16 or 32 bits) is an overflow.",
		Action:     "Ask whether the device was restarted or replaced, or the counter reset by hand.",
		Techniques: []string{"T0816", "T0856"},
	}
	KindQuality = &detect.Kind{
		Name: "value.quality", Severity: protocols.Low,
		Meaning:    "A DNP3 point has quality flags it never had: offline, communication lost, restart, forced at the device or by a station below.",
		Decision:   "No statistic: the set of flag combinations of a point is learned.",
		Action:     "A forced value is set by hand: ask who did it. The others point at a failing sensor or link.",
		Techniques: []string{"T0856", "T0832"},
	}
	KindCommandValue = &detect.Kind{
		Name: "command.value", Severity: protocols.High,
		Meaning:    "A setpoint or output is given a value that the process never saw.",
		Decision:   "No statistic: the range (or the few values) of what was commanded and reported for the point is learned.",
		Action:     "Ask the operator whether the value was meant; bring it back if not.",
		Techniques: []string{"T0836", "T0855"},
	}
	KindNoEffect = &detect.Kind{
		Name: "command.no-effect", Severity: protocols.Medium,
		Meaning:    "A command was accepted and has no effect: the point does not show it, or another point does not change, though it always did.",
		Decision:   "How long the report takes to follow a command is learned; twice the longest has gone by. So are the states of the same device that change after a command: what did after at least 8 commands and 95 % of them, and seldom does by itself, must do so within three times the longest time it took. So are measurements, and states of other devices, 10 s, 30 s, 2 and 10 minutes after the commands of a value, or those that raise or lower a setpoint: what followed at least 8 of them, and 95 %, perhaps only while a state was what it is now, and half of the least move of which is seen in less than 5 % of all stretches that long. It is looked for when its time and as much again has gone by. From fewer than 20 commands all that is low.",
		Action:     "Look at the actuator. If it did not move the command was lost; if it did, the report is false.",
		Techniques: []string{"T0832", "T0814"},
	}
	KindUncommanded = &detect.Kind{
		Name: "command.missing", Severity: protocols.Medium,
		Meaning:    "An output or setpoint changed, or a state or measurement moved, and no command was seen, though one came before every time.",
		Decision:   "The share of changes that follow a command is learned (Good-Turing for one without: Good 1953). So is which values a state came to at least 8 times and only within a time after a command to its device, if commands are given in less than a quarter of the time; and which measurements that follow a command never moved by half as much within a minute without one. From fewer than 20 times the last two are low.",
		Action:     "Someone changed it at the device itself or on a path that the tap does not see.",
		Techniques: []string{"T0831", "T0821", "T0889"},
	}
)

// Kinds returns the kinds of findings of this package, in the order of the
// catalogue.
func Kinds() []*detect.Kind {
	return []*detect.Kind{
		KindRange, KindLimit, KindRate, KindState, KindTransition, KindDwell, KindStuck, KindNoise, KindReplayed, KindCorrelation, KindInvariant,
		KindCovert, KindCounter, KindCounterBack, KindQuality, KindCommandValue, KindNoEffect, KindUncommanded,
	}
}
