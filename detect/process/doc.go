// Package process learns what the process itself does, from the values that pass
// the tap, and says when it does something else. It needs no model of the plant.
//
// An [Engine] is fed in the order of the packets, with samples or with readings
// that hold only what changed; both give the same. While it learns it
// keeps a bounded history; at an exact packet time it fits its models to that
// and watches from then on. Four kinds of models stand beside each other:
//
//   - each point by itself: its states, its range, how far it moves at once,
//     how long it rests, how noisy it is, how a counter counts, its quality
//     flags, the digits of its values ([profile]);
//   - points together: every point is predicted from the others of its group,
//     from points of faster paces ([guest]), the recent past and the time of day
//     and week ([season]), and what is left over is tested over three horizons,
//     all of it together, against the others alone, and against the time alone
//     ([relation]);
//     what holds between a state and a measurement is kept as a readable rule
//     ([rule]);
//   - commands: whether the commanded point shows them, whether it changes
//     without one, which states and measurements always follow ([consequence]), and
//     which never come without ([prompt]);
//   - points first seen after learning, each by itself ([late]);
//   - the past against the present: a stretch that repeats an earlier one too
//     exactly ([replay]).
//
// Everything is a pure function of the samples: no clock, no random source. All
// tables have caps.
package process
