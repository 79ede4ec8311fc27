package notes

import (
	"strconv"
	"strings"
)

// glob compares without regard to case; an asterisk in the pattern stands for
// any run of characters. An empty value matches nothing.
func glob(pattern, value string) bool {
	if value == "" {
		return false
	}
	parts := strings.Split(strings.ToLower(pattern), "*")
	v := strings.ToLower(strings.TrimSpace(value))
	if len(parts) == 1 {
		return v == parts[0]
	}
	if !strings.HasPrefix(v, parts[0]) {
		return false
	}
	v = v[len(parts[0]):]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(v, p)
		if i < 0 {
			return false
		}
		v = v[i+len(p):]
	}
	return strings.HasSuffix(v, parts[len(parts)-1])
}

// compareVersions orders two versions by their numbers, left to right, and says
// whether both have any: "V03.20" is before "3.30". Letters in front of the
// first number are passed over; what follows the last number is ignored.
func compareVersions(a, b string) (order int, ok bool) {
	x, y := numbers(a), numbers(b)
	if len(x) == 0 || len(y) == 0 {
		return 0, false
	}
	for i := range max(len(x), len(y)) {
		var p, q uint64
		if i < len(x) {
			p = x[i]
		}
		if i < len(y) {
			q = y[i]
		}
		if p != q {
			if p < q {
				return -1, true
			}
			return 1, true
		}
	}
	return 0, true
}

func numbers(s string) []uint64 {
	s = strings.TrimLeftFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	var out []uint64
	for _, part := range strings.Split(s, ".") {
		end := 0
		for end < len(part) && part[end] >= '0' && part[end] <= '9' {
			end++
		}
		n, err := strconv.ParseUint(part[:end], 10, 64)
		if err != nil {
			break
		}
		out = append(out, n)
		if end < len(part) {
			break
		}
	}
	return out
}
