package influx

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	influxhttp "github.com/influxdata/influxdb-client-go/v2/api/http"
)

// fate is what an answer means for a batch.
type fate int

const (
	// delivered: the server has it.
	delivered fate = iota
	// later: the server cannot take it now.
	later
	// setting: the server will not take it until somebody changes a setting.
	setting
	// tooBig: the server would take it in smaller parts.
	tooBig
	// refused: the server has what it will ever take of it.
	refused
)

// answer is what became of a batch that was sent.
type answer struct {
	fate fate
	// dropped is how many points were refused.
	dropped uint64
	// why is for the operator: what happened, and what to do.
	why string
	// after is how long the server asked to be left alone.
	after time.Duration
}

var droppedPattern = regexp.MustCompile(`dropped=(\d+)`)

// judge says what an error of the client means. The texts are those of InfluxDB
// 1.8 and 2.x, which tell by text what the status does not.
func judge(err error) answer {
	if err == nil {
		return answer{}
	}
	var e *influxhttp.Error
	if !errors.As(err, &e) || e.StatusCode == 0 {
		if errors.Is(err, context.Canceled) {
			return answer{fate: later, why: "there was no time left to send it"}
		}
		if errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "Client.Timeout") {
			return answer{fate: later, why: "it did not answer in time: check that it is not overloaded"}
		}
		return answer{fate: later, why: shorten(err.Error()) + ": check that the server runs and that the address is right"}
	}
	said := e.Message
	if said == "" {
		said = e.Error()
	}
	said = shorten(strings.TrimSpace(said))
	lower := strings.ToLower(said)
	after := time.Duration(e.RetryAfter) * time.Second
	switch {
	case e.StatusCode == http.StatusUnauthorized:
		return answer{fate: setting, why: "it does not accept the token (" + said + "): check the token"}
	case e.StatusCode == http.StatusForbidden:
		return answer{fate: setting, why: "the token may not write there (" + said + "): give it write access to the bucket"}
	case e.StatusCode == http.StatusNotFound, strings.Contains(lower, "retention policy not found"):
		return answer{fate: setting, why: "there is no such bucket (" + said + "): create it, or correct the name"}
	case strings.Contains(lower, "hinted handoff queue not empty"):
		return answer{}
	case e.StatusCode == http.StatusRequestEntityTooLarge:
		return answer{fate: tooBig, dropped: 1, why: "it refuses points that are too big (" + said + ")"}
	case strings.Contains(lower, "beyond retention policy"), strings.Contains(lower, "outside retention policy"), strings.Contains(lower, "outside of the retention"):
		return answer{fate: refused, dropped: dropped(said), why: "it refuses times that are older than the bucket keeps (" + said + "): write to a bucket that keeps data for ever"}
	case strings.Contains(lower, "partial write"), strings.Contains(lower, "field type conflict"):
		return answer{fate: refused, dropped: dropped(said), why: "it refuses some points (" + said + "): use a bucket that nothing else writes weir_ measurements to"}
	case e.StatusCode == http.StatusTooManyRequests, e.StatusCode == http.StatusRequestTimeout, e.StatusCode >= 500:
		return answer{fate: later, after: after, why: "it cannot take data now (" + said + ")"}
	case e.StatusCode == http.StatusBadRequest, e.StatusCode == http.StatusUnprocessableEntity:
		// Smaller parts find the points that it does not like.
		return answer{fate: tooBig, dropped: 1, why: "it refuses some points (" + said + ")"}
	}
	return answer{fate: setting, why: "it answers " + said + ": check that the address is that of an InfluxDB server"}
}

// dropped reads how many points a partial write left out.
func dropped(said string) uint64 {
	if m := droppedPattern.FindStringSubmatch(said); m != nil {
		n, _ := strconv.ParseUint(m[1], 10, 64)
		return n
	}
	return 1
}

func shorten(s string) string {
	const most = 300
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
