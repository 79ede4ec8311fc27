// Package water is the process of the simulated plant: a small waterworks with
// a raw water tank, treatment, a clear well and two service reservoirs, their
// pumps and valves, and the electrical feeders that supply them.
//
// Water flows so:
//
//	river -P1,P2-> T1 raw -V1, filter, chlorine-> T2 clear well -P3,P4-> T3 reservoir -P5-> T4 reservoir
//	                                                                     | demand D3         | demand D4
//
// The model is a set of mass balances with simple pump curves; it is meant to
// be believable and consistent, not to design a plant with. It advances in steps
// of one second whatever anyone polls, and is a function of its seed and the
// commands given. Flows are in cubic metres an hour, levels and heads in metres,
// pressures in bar, concentrations in mg/l, turbidity in NTU.
package water
