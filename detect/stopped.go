package detect

import "fmt"

// manyStopped is from how many devices on, not polled any more by the same
// client, it is one alert about the client.
const manyStopped = 4

// stopped are the links of a client whose polls stopped.
type stopped struct {
	keys map[string]bool
	told *Finding // about the client, once there were many
}

// pollStopped takes a finding about a poll that stopped, or came again. When a
// client stops polling everything, that is one alert and not one a device.
func (s *Site) pollStopped(f *Finding, clock int64) {
	ip := f.Client.Endpoint.IP
	st := s.stopped[ip]
	if st == nil {
		if f.Clear {
			s.manager.take(f, clock)
			return
		}
		st = &stopped{keys: map[string]bool{}}
		s.stopped[ip] = st
	}
	if f.Clear {
		delete(st.keys, f.Key)
		s.manager.take(f, clock)
		if len(st.keys) == 0 {
			if st.told != nil {
				over := *st.told
				over.Clear, over.Time = true, f.Time
				s.manager.take(&over, clock)
			}
			delete(s.stopped, ip)
		}
		return
	}
	st.keys[f.Key] = true
	if st.told == nil && len(st.keys) < manyStopped {
		s.manager.take(f, clock)
		return
	}
	all := *f
	all.Key = addr(ip)
	all.Severity = max(f.Severity, KindPollStopped.Severity+1)
	all.Function, all.FunctionName, all.Points = -1, "", nil
	all.Server = Party{Unit: -1, Address: -1}
	all.Title = fmt.Sprintf("%s stopped polling its devices", addr(ip))
	all.Observed = fmt.Sprintf("%s polls none of %d devices and units any more that it polled regularly, the latest %s.", addr(ip), len(st.keys), addr(f.Server.Endpoint.IP))
	explain(&all)
	s.halfDeaf(&all)
	if st.told == nil {
		st.told = &all
	}
	s.manager.take(&all, clock)
}
