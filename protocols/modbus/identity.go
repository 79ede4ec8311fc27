package modbus

import "github.com/weir-ics/weir/protocols"

// identifyDevice takes the objects of a device identification (AP 6.21).
func identifyDevice(e *protocols.Event, data []byte) {
	for len(data) >= 2 && len(data) >= 2+int(data[1]) {
		id, value := data[0], data[2:2+int(data[1])]
		data = data[2+int(data[1]):]
		if k := objects[id].key; k != protocols.IdentityUnknown && len(value) > 0 {
			e.Identity = append(e.Identity, protocols.Identity{Key: k, Value: value})
		}
	}
}

// identifyServer takes the text out of a server ID, which every product lays
// out as it likes (AP 6.13): the longest run of printable characters, if it is
// long enough not to be chance.
func identifyServer(e *protocols.Event, data []byte) {
	if text := longestText(data); len(text) >= minText {
		e.Identity = append(e.Identity, protocols.Identity{Key: protocols.IdentityProduct, Value: text})
	}
}

// minText is how long a text has to be not to be chance.
const minText = 4

func longestText(data []byte) (longest []byte) {
	start := 0
	for i := 0; i <= len(data); i++ {
		if i < len(data) && data[i] >= ' ' && data[i] < 0x7f {
			continue
		}
		if i-start > len(longest) {
			longest = data[start:i]
		}
		start = i + 1
	}
	return longest
}

// identifyUMAS takes the product's name out of a UMAS identification. Its
// layout is not published; in the products that research looked at the name
// follows its length at octet 22.
func identifyUMAS(e *protocols.Event, data []byte) {
	const at = 22
	var name []byte
	if len(data) > at && len(data) > at+int(data[at]) {
		name = data[at+1 : at+1+int(data[at])]
	}
	if len(name) < minText || !printable(name) {
		name = longestText(data)
	}
	if len(name) < minText {
		return
	}
	e.Identity = append(e.Identity,
		protocols.Identity{Key: protocols.IdentityVendor, Value: schneider},
		protocols.Identity{Key: protocols.IdentityProduct, Value: name})
}

var schneider = []byte("Schneider Electric")
