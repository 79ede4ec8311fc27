package plant

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/goburrow/modbus"

	"github.com/weir-ics/weir/plant/wire"
)

// liveHMI polls one PLC with an ordinary Modbus client.
type liveHMI struct {
	live    *Live
	mu      sync.Mutex
	handler *modbus.TCPClientHandler
	client  modbus.Client
	plan    []poll
}

func newLiveHMI(l *Live, name string, plan []poll) *liveHMI {
	h := modbus.NewTCPClientHandler(l.addrs[name])
	h.Timeout = 2 * time.Second
	h.IdleTimeout = time.Hour
	return &liveHMI{live: l, handler: h, client: modbus.NewClient(h), plan: plan}
}

func (h *liveHMI) poll(ctx context.Context) {
	defer func() { _ = h.handler.Close() }()
	rnd := rand.New(rand.NewPCG(h.live.opt.Seed, 5))
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		for _, p := range h.plan {
			if ctx.Err() != nil {
				return
			}
			if err := h.read(p); err != nil {
				if ctx.Err() == nil { // else the servers are going down
					h.live.failures.Add(1)
				}
				_ = h.handler.Close()
				break
			}
			h.live.reads.Add(1)
		}
		timer.Reset(h.live.opt.Poll + time.Duration(rnd.Int64N(int64(h.live.opt.Poll)/50+1)))
	}
}

func (h *liveHMI) read(p poll) (err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.handler.SlaveId = p.unit
	switch p.function {
	case wire.ReadCoils:
		_, err = h.client.ReadCoils(p.address, p.quantity)
	case wire.ReadDiscreteInputs:
		_, err = h.client.ReadDiscreteInputs(p.address, p.quantity)
	case wire.ReadHoldingRegisters:
		_, err = h.client.ReadHoldingRegisters(p.address, p.quantity)
	case wire.ReadInputRegisters:
		_, err = h.client.ReadInputRegisters(p.address, p.quantity)
	}
	return err
}

func (h *liveHMI) write(tag *Tag, v float64) (err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.handler.SlaveId = h.plan[0].unit
	pdu := writeRequest(tag, v)
	switch pdu[0] {
	case wire.WriteSingleCoil:
		_, err = h.client.WriteSingleCoil(tag.Address, binary.BigEndian.Uint16(pdu[3:]))
	case wire.WriteSingleRegister:
		_, err = h.client.WriteSingleRegister(tag.Address, binary.BigEndian.Uint16(pdu[3:]))
	default:
		_, err = h.client.WriteMultipleRegisters(tag.Address, uint16(tag.registers()), pdu[6:])
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", tag.Name, err)
	}
	h.live.writes.Add(1)
	return nil
}
