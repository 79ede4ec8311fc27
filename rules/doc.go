// Package rules holds what is known to be bad on any plant: a small rule
// language, the rules shipped with weir, and the matcher that turns Events into
// findings.
//
// A rule selects messages by what a table look-up can decide (protocol, role,
// function, sub-function, effect, violation) and may then ask an expression
// about the rest. Only the selected messages pay for the expression, so the
// number of rules does not slow down ordinary polling. docs/rules.md describes
// the format for those who write rules.
package rules
