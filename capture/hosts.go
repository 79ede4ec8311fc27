package capture

// hostKey is a sender.
type hostKey struct {
	ip  address
	mac uint64 // 48 bits, then the VLAN
}

// hosts knows the senders that were told, with their last time to live. It
// forgets those not seen for longest, roughly: when the newer half is full it
// becomes the older, and the older is let go.
type hosts struct {
	newer, older map[hostKey]uint8
	limit        int // of either
}

// see notes a host with its time to live, 0 for none, and returns the one
// before, 0 for none, and whether the host was known.
func (h *hosts) see(k hostKey, ttl uint8, st *Stats) (was uint8, known bool) {
	if was, known = h.newer[k]; known {
		if ttl != 0 && was != ttl {
			h.newer[k] = ttl
		}
		return was, true
	}
	was, known = h.older[k]
	if len(h.newer) >= h.limit {
		st.HostsEvicted += uint64(len(h.older))
		h.older, h.newer = h.newer, nil
	}
	if h.newer == nil {
		h.newer = make(map[hostKey]uint8)
	}
	delete(h.older, k) // what is let go are then forgotten hosts only
	if ttl == 0 {
		h.newer[k] = was
	} else {
		h.newer[k] = ttl
	}
	return was, known
}
