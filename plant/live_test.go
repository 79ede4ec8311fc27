package plant

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"net"
	"testing"
	"time"

	"github.com/goburrow/modbus"

	"github.com/weir-ics/weir/plant/water"
	"github.com/weir-ics/weir/plant/wire"
)

// until waits for a condition that other goroutines bring about.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("never happened: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestAnOrdinaryClientReadsAndWritesAPLC(t *testing.T) {
	l, err := Serve(context.Background(), LiveOptions{Seed: 1, ServersOnly: true, Speed: 50})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	h := modbus.NewTCPClientHandler(l.Addr("PLC3"))
	h.SlaveId, h.Timeout = 1, 5*time.Second
	defer h.Close()
	c := modbus.NewClient(h)
	b, err := c.ReadInputRegisters(0, 2)
	if err != nil {
		t.Fatal(err)
	}
	// CDAB: the least significant register first.
	level := math.Float32frombits(uint32(binary.BigEndian.Uint16(b[2:]))<<16 | uint32(binary.BigEndian.Uint16(b)))
	if level < 2 || level > 6 {
		t.Errorf("level of T3 reads as %v m", level)
	}
	if _, err := c.WriteSingleCoil(0, 0); err != nil { // P3 out of automatic
		t.Fatal(err)
	}
	if _, err := c.WriteSingleCoil(1, 0xff00); err != nil { // and on
		t.Fatal(err)
	}
	until(t, "P3 runs", func() bool {
		b, err := c.ReadDiscreteInputs(0, 1)
		return err == nil && b[0]&1 == 1
	})
	var refused *modbus.ModbusError
	if _, err := c.ReadHoldingRegisters(5000, 1); !errors.As(err, &refused) || refused.ExceptionCode != modbus.ExceptionCodeIllegalDataAddress {
		t.Errorf("a register that is not there gives %v", err)
	}
	h.SlaveId = 77
	if b, err := c.ReadInputRegisters(0, 1); err != nil || len(b) != 2 {
		t.Errorf("a PLC that is no gateway answers any unit: %v", err)
	}
}

func TestTheLiveSitePollsItself(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	l, err := Serve(ctx, LiveOptions{Seed: 1, Poll: 10 * time.Millisecond, Speed: 20})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the HMI reads all devices and the master polls", func() bool {
		s := l.Stats()
		return s.Reads > 100 && s.Requests > 8
	})
	if err := l.Write("SP_PRESSURE", 4.45); err != nil {
		t.Error(err)
	}
	if v, err := l.Value("SP_PRESSURE"); err != nil || math.Abs(v-4.45) > 1e-6 {
		t.Errorf("pressure setpoint is %v, %v", v, err)
	}
	if err := l.Write("LT_T1", 1); err == nil {
		t.Error("a measured value could be written")
	}
	// A breaker that moves is reported without being asked for.
	before := l.Stats().Unsolicited
	until(t, "an unsolicited response", func() bool {
		// A poll may be quicker than the report, so the breaker keeps moving.
		l.mu.Lock()
		e := &l.site.process.Electric
		if e.Breaker[water.FeederB] != water.Transit {
			e.Command(water.FeederB, water.Open+water.Closed-e.Breaker[water.FeederB])
		}
		l.mu.Unlock()
		return l.Stats().Unsolicited > before
	})
	cancel()
	l.Wait()
	if s := l.Stats(); s.Errors != 0 {
		t.Errorf("%d errors", s.Errors)
	}
}

func TestTheLiveOutstationExecutesASelectedOperate(t *testing.T) {
	l, err := Serve(context.Background(), LiveOptions{Seed: 1, ServersOnly: true, Speed: 20})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr("RTU"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m := &liveMaster{live: l, conn: c, in: wire.NewFragmentReader(c)}
	for _, function := range []uint8{wire.Select, wire.Operate} {
		if err := m.ask(function, crobObject(water.FeederA, 0x81)...); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "feeder A is open", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.site.process.Electric.Breaker[water.FeederA] == water.Open
	})
}

func TestASpreadSiteHasAnAddressForEachDevice(t *testing.T) {
	l, err := Serve(context.Background(), LiveOptions{Seed: 1, Spread: true, ModbusPort: 45502, DNP3Port: 45000, ServersOnly: true})
	if err != nil {
		t.Skipf("skipped: %v", err)
	}
	defer l.Close()
	seen := make(map[string]bool)
	for name, addr := range l.Addrs() {
		host, _, err := net.SplitHostPort(addr)
		if err != nil || seen[host] {
			t.Errorf("%s listens on %s: %v", name, addr, err)
		}
		seen[host] = true
	}
	if len(seen) != 5 {
		t.Errorf("addresses %v", l.Addrs())
	}
}
