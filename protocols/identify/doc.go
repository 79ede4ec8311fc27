// Package identify tells which protocol a conversation speaks, by its bytes, and
// hands them to that protocol's decoder. Ports are a hint only: they say how
// patient to be, never what a conversation is, so that DNP3 on port 20001 and
// something else on port 502 are both told right.
package identify
