package detect

// Decision is what a person decided of an alert: that what it is about is
// normal (approve), or that it is not to be raised (mute).
type Decision struct {
	// Action is "approve" or "mute".
	Action string `json:"action"`
	// Kind and Key name what it is about (see [Finding]); an empty Key is
	// every finding of the kind.
	Kind string `json:"kind"`
	Key  string `json:"key"`
	// By is who decided, Why the reason they gave.
	By  string `json:"by"`
	Why string `json:"why,omitempty"`
	// At is when, Until when it expires (0: never); nanoseconds since the Unix
	// epoch. Both are compared with packet time.
	At    int64 `json:"at"`
	Until int64 `json:"until,omitempty"`
}
