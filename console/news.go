package console

import (
	"strings"
	"time"

	"github.com/weir-ics/weir/detect"
)

// patience is how old what a live sensor says of itself may be. It says it each five
// seconds, and a slow disk may take a while to keep it.
const patience = int64(30 * time.Second)

// noNews is for how long nothing was heard of a live sensor that did not say that it
// ended, by the wall clock, 0 if that is not long.
func (c *console) noNews(s detect.Status) int64 {
	if !s.Live || s.Ended != 0 || s.Told == 0 && s.Clock == 0 {
		return 0
	}
	told := s.Told
	if told == 0 { // by a weir that did not say when
		told = s.Clock
	}
	if age := c.Now().UnixNano() - told; age > patience {
		return age / int64(time.Second) * int64(time.Second)
	}
	return 0
}

// warnings are what a person has to know of the sensor before they believe what is
// shown, in sentences.
func (c *console) warnings(s detect.Status) []string {
	var all []string
	say := func(words ...string) { all = append(all, strings.Join(words, "")) }
	problem := c.Problem()
	switch {
	case s.Live && s.Ended != 0:
		say("Nobody watches since then: what is shown is of before.")
		return all
	case c.noNews(s) > 0 && problem == "":
		say("It has ended, hangs, or cannot write to its store: what is shown is of before. Its log says more.")
	}
	if problem != "" {
		say("What is found cannot be kept, and what is shown may be old: ", problem, ".")
	}
	if s.Down != "" {
		say("The sensor hears nothing on ", s.Down, ": the interface has no carrier, or is switched off. What happens meanwhile is not seen.")
	}
	if s.Quiet > 0 {
		say("No Modbus or DNP3 has been seen for ", duration(s.Quiet), ": is the mirror port configured, and the right cable in?")
	}
	return all
}
