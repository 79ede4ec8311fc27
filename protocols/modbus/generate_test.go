package modbus

import "math/rand/v2"

// pair is a well-formed request and its response, as PDUs.
type pair struct{ request, response []byte }

func words(r *rand.Rand, n int) []uint16 {
	v := make([]uint16, n)
	for i := range v {
		v[i] = uint16(r.Uint32())
	}
	return v
}

func bits(r *rand.Rand, n int) []bool {
	v := make([]bool, n)
	for i := range v {
		v[i] = r.IntN(2) == 1
	}
	return v
}

func octets(r *rand.Rand, n int) []byte {
	v := make([]byte, n)
	for i := range v {
		v[i] = byte(r.Uint32())
	}
	return v
}

// generators make well-formed exchanges of every public function.
var generators = map[string]func(r *rand.Rand) pair{
	"read coils": func(r *rand.Rand) pair {
		n := 1 + r.IntN(2000)
		return pair{AppendRead(nil, 1, uint16(r.IntN(65536-n)), uint16(n)), AppendBits(nil, 1, bits(r, n))}
	},
	"read discrete inputs": func(r *rand.Rand) pair {
		n := 1 + r.IntN(2000)
		return pair{AppendRead(nil, 2, uint16(r.IntN(65536-n)), uint16(n)), AppendBits(nil, 2, bits(r, n))}
	},
	"read holding registers": func(r *rand.Rand) pair {
		n := 1 + r.IntN(125)
		return pair{AppendRead(nil, 3, uint16(r.IntN(65536-n)), uint16(n)), AppendRegisters(nil, 3, words(r, n))}
	},
	"read input registers": func(r *rand.Rand) pair {
		n := 1 + r.IntN(125)
		return pair{AppendRead(nil, 4, uint16(r.IntN(65536-n)), uint16(n)), AppendRegisters(nil, 4, words(r, n))}
	},
	"write coil": func(r *rand.Rand) pair {
		p := AppendWriteCoil(nil, uint16(r.Uint32()), r.IntN(2) == 1)
		return pair{p, p}
	},
	"write register": func(r *rand.Rand) pair {
		p := AppendWriteRegister(nil, uint16(r.Uint32()), uint16(r.Uint32()))
		return pair{p, p}
	},
	"read exception status": func(r *rand.Rand) pair { return pair{[]byte{7}, []byte{7, byte(r.Uint32())}} },
	"diagnostics": func(r *rand.Rand) pair {
		p := AppendDiagnostics(nil, 0, uint16(r.Uint32()))
		if s := diagnostics[r.IntN(len(diagnostics))]; s.Code != 0 && !s.Silent {
			p = AppendDiagnostics(nil, s.Code, 0)
			if !s.echo {
				return pair{p, AppendDiagnostics(nil, s.Code, uint16(r.Uint32()))}
			}
		}
		return pair{p, p}
	},
	"event counter": func(r *rand.Rand) pair {
		return pair{[]byte{11}, append16([]byte{11}, 0xFFFF*uint16(r.IntN(2)), uint16(r.Uint32()))}
	},
	"event log": func(r *rand.Rand) pair {
		n := r.IntN(65)
		return pair{[]byte{12}, append(append16([]byte{12, byte(6 + n)}, 0, uint16(r.Uint32()), uint16(r.Uint32())), octets(r, n)...)}
	},
	"write coils": func(r *rand.Rand) pair {
		n := 1 + r.IntN(0x7B0)
		a := uint16(r.IntN(65536 - n))
		return pair{AppendWriteCoils(nil, a, bits(r, n)), AppendWritten(nil, 15, a, uint16(n))}
	},
	"write registers": func(r *rand.Rand) pair {
		n := 1 + r.IntN(0x7B)
		a := uint16(r.IntN(65536 - n))
		return pair{AppendWriteRegisters(nil, a, words(r, n)), AppendWritten(nil, 16, a, uint16(n))}
	},
	"server id": func(r *rand.Rand) pair {
		n := 1 + r.IntN(100)
		return pair{[]byte{17}, append([]byte{17, byte(n)}, octets(r, n)...)}
	},
	"read file record": func(r *rand.Rand) pair {
		n := 1 + r.IntN(4)
		ask, answer := []byte{20, byte(7 * n)}, []byte{20, 0}
		for range n {
			k := 1 + r.IntN(20)
			ask = append16(append(ask, 6), uint16(1+r.IntN(65535)), uint16(r.IntN(10000)), uint16(k))
			answer = append16(append(answer, byte(1+2*k), 6), words(r, k)...)
		}
		answer[1] = byte(len(answer) - 2)
		return pair{ask, answer}
	},
	"write file record": func(r *rand.Rand) pair {
		p := []byte{21, 0}
		for range 1 + r.IntN(4) {
			k := 1 + r.IntN(20)
			p = append16(append16(append(p, 6), uint16(1+r.IntN(65535)), uint16(r.IntN(10000)), uint16(k)), words(r, k)...)
		}
		p[1] = byte(len(p) - 2)
		return pair{p, p}
	},
	"mask write": func(r *rand.Rand) pair {
		p := AppendMaskWrite(nil, uint16(r.Uint32()), uint16(r.Uint32()), uint16(r.Uint32()))
		return pair{p, p}
	},
	"read write": func(r *rand.Rand) pair {
		n, k := 1+r.IntN(0x7D), 1+r.IntN(0x79)
		return pair{AppendReadWrite(nil, uint16(r.IntN(65536-n)), uint16(n), uint16(r.IntN(65536-k)), words(r, k)),
			AppendRegisters(nil, 23, words(r, n))}
	},
	"read fifo": func(r *rand.Rand) pair {
		n := r.IntN(32)
		return pair{append16([]byte{24}, uint16(r.Uint32())), append16(append16([]byte{24}, uint16(2+2*n), uint16(n)), words(r, n)...)}
	},
	"device identification": func(r *rand.Rand) pair {
		var objects []Object
		for i := range r.IntN(4) {
			// Identification is text (AP 6.21).
			text := octets(r, 1+r.IntN(30))
			for j := range text {
				text[j] = 'A' + text[j]%26
			}
			objects = append(objects, Object{uint8(i), text})
		}
		return pair{AppendReadDeviceID(nil, 1, 0), AppendDeviceID(nil, 1, 0x81, false, 0, objects)}
	},
	"exception": func(r *rand.Rand) pair {
		return pair{AppendRead(nil, 3, uint16(r.IntN(60000)), 10), AppendException(nil, 3, byte(1+r.IntN(6)))}
	},
}

// noiseSource gives pieces of noise, the same in every run.
func noiseSource() func(n int) []byte {
	r := rand.New(rand.NewPCG(9, 9))
	return func(n int) []byte { return octets(r, n) }
}
