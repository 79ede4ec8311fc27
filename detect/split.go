package detect

import (
	"bytes"
	"encoding/json"
)

// splitObject cuts a JSON object into its keys and the text of their values,
// without looking into these: a large baseline is not read more often than it
// must be. It tells false for what is no object, or one with keys that are
// spelt with escapes; encoding/json then says what is wrong.
func splitObject(data []byte, f func(key string, value json.RawMessage) error) (ok bool, err error) {
	i := skipSpace(data, 0)
	if i >= len(data) || data[i] != '{' {
		return false, nil
	}
	i = skipSpace(data, i+1)
	if i < len(data) && data[i] == '}' {
		return skipSpace(data, i+1) == len(data), nil
	}
	for i < len(data) {
		if data[i] != '"' {
			return false, nil
		}
		end := bytes.IndexByte(data[i+1:], '"')
		if end < 0 {
			return false, nil
		}
		key := data[i+1 : i+1+end]
		if bytes.IndexByte(key, '\\') >= 0 {
			return false, nil
		}
		if i = skipSpace(data, i+end+2); i >= len(data) || data[i] != ':' {
			return false, nil
		}
		i = skipSpace(data, i+1)
		from := i
		if i = skipValue(data, i); i <= from {
			return false, nil
		}
		if err := f(string(key), data[from:i:i]); err != nil {
			return true, err
		}
		i = skipSpace(data, i)
		switch {
		case i < len(data) && data[i] == '}':
			return skipSpace(data, i+1) == len(data), nil
		case i < len(data) && data[i] == ',':
			i = skipSpace(data, i+1)
		default:
			return false, nil
		}
	}
	return false, nil
}

func skipSpace(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\t' || data[i] == '\r') {
		i++
	}
	return i
}

// skipValue returns where the value that begins at i ends; its brackets need
// only balance.
func skipValue(data []byte, i int) int {
	for depth := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			for i++; i < len(data) && data[i] != '"'; i++ {
				if data[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return min(i+1, len(data))
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return i
			}
			if depth == 0 {
				return i + 1
			}
		case ',', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return i
			}
		}
	}
	return i
}
