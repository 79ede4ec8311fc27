// Package plant is a simulated site that speaks real Modbus/TCP and DNP3: a
// small waterworks (package water) with three PLCs, two analysers behind a
// gateway and a substation's outstation, polled by an HMI, a historian and a
// DNP3 master. weir is demonstrated, tested and measured with it; nothing of it
// runs in the sensor.
//
// The same site can be had in three ways:
//
//   - [Scenario] writes its traffic as a capture, far faster than real time and
//     byte for byte the same for the same seed (on one processor architecture,
//     for some fuse multiplications with additions and round differently): hosts, addresses, TCP
//     connections, response times, an operator, an engineer, a PLC that is
//     replaced, other traffic; and any of the kinds of attack that [Attacks]
//     lists, each with a [Label] that says what was done, when and in which
//     frames.
//   - [Serve] runs it on real sockets: Modbus servers and an outstation that
//     anything can connect to, with a client polling them.
//   - [ConvertCSV] puts a table of process values from elsewhere in its place,
//     so that a researcher's data set becomes traffic.
//
// [Load] writes large captures for measuring speed. [Tags] is the ground truth:
// what every register and point means; [WriteTags] writes it as a tag list.
//
// # Frame labels
//
// Labels are JSON lines. Start and End say how long an attack lasted; Frames are
// its first and last packet, and WriteLabeled's "frame;0|1" lines say of each
// packet between them whether it is part of it. A packet is part of an attack if
// it would not have been sent, or not with this content, without it: requests
// and their answers on the intruder's connections, forged segments, answers that
// carry a false value. What an attack makes stop has no packets: then Frames are
// 0 and only the times count. So it is with what the plant's people do
// afterwards to put things right; that is normal.
package plant
