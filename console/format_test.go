package console

import (
	"testing"
	"time"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

func TestAmountsAndTimesReadAsAPersonWritesThem(t *testing.T) {
	for got, want := range map[string]string{
		duration(0):                                         "0 s",
		duration(int64(40 * time.Microsecond)):              "40 µs",
		duration(int64(350 * time.Millisecond)):             "350 ms",
		duration(int64(2500 * time.Millisecond)):            "2.5 s",
		duration(int64(134 * time.Second)):                  "2 min 14 s",
		duration(int64(3*time.Hour - 100*time.Millisecond)): "3 h",
		duration(int64(time.Hour - 100*time.Millisecond)):   "1 h",
		duration(int64(2 * time.Hour)):                      "2 h",
		duration(int64(49 * time.Hour)):                     "2 d 1 h",
		duration(-int64(time.Minute)):                       "−1 min",
		amount(7):                                           "7",
		amount(1000):                                        "1,000",
		amount(uint64(38114020)):                            "38,114,020",
		amount(-1234):                                       "−1,234",
		plural(1, "alert", "alerts"):                        "1 alert",
		plural(2000, "alert", "alerts"):                     "2,000 alerts",
		percent(-1):                                         "not known",
		percent(0):                                          "0.00 %",
		percent(0.00001):                                    "below 0.01 %",
		percent(0.0004):                                     "0.04 %",
		percent(1):                                          "100.0 %",
		number(846):                                         "846",
		number(1234567):                                     "1234567",
		number(4.30781):                                     "4.3078",
		unitList([]uint16{1, 2, 3, 7}):                      "1–3, 7",
		unitList(nil):                                       "",
		lossTitle("tags.partial-reads"):                     "tags: partial reads",
		pointName(detect.PointRef{Kind: protocols.KindHoldingRegister, First: 40, Last: 41}): "holding register 40 to 41",
		pointName(detect.PointRef{Kind: protocols.KindCoil, First: 3, Last: 3}):              "coil 3",
		mac([6]byte{}): "",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestAChartShowsWhatCameBeforeAndAfterAnAlert(t *testing.T) {
	minute := int64(time.Minute)
	for _, c := range []struct{ start, end, now, from, to int64 }{
		{100 * minute, 100 * minute, 1000 * minute, 95, 105}, // a moment: five minutes each way
		{100 * minute, 110 * minute, 1000 * minute, 80, 130}, // twice its length each way
		{100 * minute, 110 * minute, 110 * minute, 80, 110},  // nothing is to come yet
		{0, 10000 * minute, 20000 * minute, -1440, 11440},    // never more than a day
	} {
		from, to := around(c.start, c.end, c.now)
		if slack := to - c.to*60_000; from != c.from*60_000 || slack < 0 || slack > (c.to-c.from)*60_000/20 {
			t.Errorf("from %d to %d: %d to %d min", c.start/minute, c.end/minute, from/60_000, to/60_000)
		}
	}
}

func TestLossesAreToldFromOtherCounters(t *testing.T) {
	for name, want := range map[string]bool{
		"packets": false, "kernel.dropped": true, "tcp.refused": false, "tcp.gap-bytes": true, "dnp3.lost-octets": true, "store.evicted.values": false,
		"store.values.lost": true, "conns.expired": false, "ip.fragments-expired": true, "detect.alerts": false, "modbus.requests": false, "detect.hosts-evicted": true,
	} {
		if isLoss(name) != want {
			t.Errorf("%s: loss is %t", name, !want)
		}
	}
}
