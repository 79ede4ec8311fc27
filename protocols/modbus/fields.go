package modbus

import "strconv"

// AppendFields appends the message's fields as weir decode writes them.
func (m *Message) AppendFields(dst []byte) []byte {
	dst = append(dst, `,"framing":"`...)
	dst = append(dst, m.Framing.String()...)
	dst = append(dst, '"')
	if m.Framing == MBAP {
		dst = appendInt(dst, "transaction", int(m.Transaction))
		dst = appendInt(dst, "length", int(m.Length))
		if m.Protocol != 0 {
			dst = appendInt(dst, "protocol", int(m.Protocol))
		}
	}
	if m.IsException {
		dst = appendInt(dst, "exception", int(m.Exception))
		if name := ExceptionName(m.Exception); name != "" {
			dst = appendString(dst, "exception_name", name)
		}
	}
	dst = m.appendFixed(dst)
	if m.Paired && m.RequestQuantity > 0 && m.has&(1<<FieldAddress) == 0 {
		dst = appendInt(dst, "address", int(m.RequestAddress))
		dst = appendInt(dst, "quantity", int(m.RequestQuantity))
	}
	if m.layout != nil {
		dst = m.appendTail(dst)
	}
	if len(m.Body) > 0 {
		dst = appendHexString(dst, "body", m.Body)
	}
	if len(m.Extra) > 0 {
		dst = appendHexString(dst, "extra", m.Extra)
	}
	if m.Missing > 0 {
		dst = appendInt(dst, "missing", m.Missing)
	}
	return dst
}

func (m *Message) appendFixed(dst []byte) []byte {
	for f := range numFields {
		if m.has&(1<<f) == 0 {
			continue
		}
		key := fields[f].key
		if f == FieldSub && m.Function == 43 {
			key = "mei"
		}
		dst = appendInt(dst, key, int(m.fields[f]))
	}
	switch {
	case m.Signed:
		dst = appendInt(dst, "signed_function", int(m.Sub))
	case m.Sub >= 0 && m.has&(1<<FieldSub) == 0:
		// A UMAS response has its request's.
		dst = appendInt(dst, "sub_function", int(m.Sub))
	}
	return dst
}

func (m *Message) appendTail(dst []byte) []byte {
	switch m.layout.Tail {
	case TailBits:
		dst = append(dst, `,"values":[`...)
		for i := range m.values() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, '0'+m.Data[i>>3]>>(i&7)&1)
		}
		return append(dst, ']')
	case TailRegisters:
		return appendRegisterList(append(dst, `,"values":`...), m.Data)
	case TailFileRequests, TailFileRecords, TailFileWrites:
		return m.appendRecords(dst)
	case TailEvents:
		return appendEvents(dst, m.Data)
	case TailObjects:
		return appendObjects(dst, m.Data)
	case TailBytes, TailRest:
		if len(m.Data) > 0 {
			dst = appendHexString(dst, "data", m.Data)
		}
		if text := longestText(m.Data); m.Function == 17 && len(text) >= minText {
			dst = appendString(dst, "text", string(text))
		}
	}
	return dst
}

func (m *Message) appendRecords(dst []byte) []byte {
	dst = append(dst, `,"records":[`...)
	asked := m.requestFiles
	for data, i := m.Data, 0; ; i++ {
		g, n := nextGroup(m.layout.Tail, data)
		if n == 0 {
			return append(dst, ']')
		}
		data = data[n:]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"reference_type":`...)
		dst = strconv.AppendInt(dst, int64(g.Reference), 10)
		named := m.layout.Tail != TailFileRecords
		if q, k := nextGroup(TailFileRequests, asked); !named && k > 0 {
			g.File, g.Record, named = q.File, q.Record, true
			asked = asked[k:]
		}
		if named {
			dst = appendInt(dst, "file", int(g.File))
			dst = appendInt(dst, "record", int(g.Record))
		}
		dst = appendInt(dst, "length", int(g.Length))
		if g.Data != nil {
			dst = appendRegisterList(append(dst, `,"values":`...), g.Data)
		}
		dst = append(dst, '}')
	}
}

// appendEvents writes the communication event log with the meaning of each
// octet (AP 6.10): bit 7 marks what the device received, bit 6 what it sent.
func appendEvents(dst, data []byte) []byte {
	dst = append(dst, `,"events":[`...)
	for i, b := range data {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"octet":`...)
		dst = strconv.AppendInt(dst, int64(b), 10)
		var flags *[8]string
		switch {
		case b&0x80 != 0:
			dst, flags = appendString(dst, "event", "receive"), &receiveFlags
		case b&0x40 != 0:
			dst, flags = appendString(dst, "event", "send"), &sendFlags
		case b == 0x04:
			dst = appendString(dst, "event", "entered listen only mode")
		case b == 0x00:
			dst = appendString(dst, "event", "communication restart")
		}
		if flags != nil {
			dst = append(dst, `,"flags":[`...)
			first := true
			for bit, name := range flags {
				if name == "" || b>>bit&1 == 0 {
					continue
				}
				if !first {
					dst = append(dst, ',')
				}
				first = false
				dst = append(append(append(dst, '"'), name...), '"')
			}
			dst = append(dst, ']')
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func appendObjects(dst, data []byte) []byte {
	dst = append(dst, `,"objects":[`...)
	for i := 0; len(data) >= 2 && len(data) >= 2+int(data[1]); i++ {
		id, value := data[0], data[2:2+int(data[1])]
		data = data[2+int(data[1]):]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"id":`...)
		dst = strconv.AppendInt(dst, int64(id), 10)
		if name := objects[id].name; name != "" {
			dst = appendString(dst, "name", name)
		}
		if printable(value) {
			dst = appendString(dst, "value", string(value))
		} else {
			dst = appendHexString(dst, "hex", value)
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

func appendRegisterList(dst, data []byte) []byte {
	dst = append(dst, '[')
	for i := 0; i+1 < len(data); i += 2 {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(dst, int64(data[i])<<8|int64(data[i+1]), 10)
	}
	return append(dst, ']')
}

func appendKey(dst []byte, key string) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, key...)
	return append(dst, '"', ':')
}

func appendInt(dst []byte, key string, v int) []byte {
	return strconv.AppendInt(appendKey(dst, key), int64(v), 10)
}

// appendString appends printable ASCII text.
func appendString(dst []byte, key, v string) []byte {
	dst = append(appendKey(dst, key), '"')
	for i := range len(v) {
		if v[i] == '"' || v[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, v[i])
	}
	return append(dst, '"')
}

func appendHexString(dst []byte, key string, v []byte) []byte {
	const digits = "0123456789abcdef"
	dst = append(appendKey(dst, key), '"')
	for _, b := range v {
		dst = append(dst, digits[b>>4], digits[b&15])
	}
	return append(dst, '"')
}
