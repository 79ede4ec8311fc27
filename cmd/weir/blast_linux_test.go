package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// blast is packets of a capture, sent as fast as told. tcpreplay makes a system
// call a packet and needs more of a processor than what it measures.
type blast struct {
	Interface, File string
	// Packets is how many at most, Rate how many a second, 0 for as fast as it
	// goes.
	Packets, Rate int
}

// blasted is what became of it.
type blasted struct {
	Sent    int
	Seconds float64
}

func (b blasted) rate() float64 {
	if b.Sent == 0 {
		return 0
	}
	return float64(b.Sent) / b.Seconds
}

// blastVariable hands a blast to the process that sends it.
const blastVariable = "WEIR_TEST_BLAST"

// send sends it from the plant's end, in a process of its own.
func (n tapped) send(t *testing.T, b blast) blasted {
	t.Helper()
	b.Interface = "tap0"
	order, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ip", "netns", "exec", n.plant, os.Args[0], "-test.run=^TestBlast$")
	cmd.Env = append(os.Environ(), blastVariable+"="+string(order))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("send: %v: %s", err, out)
	}
	var done blasted
	if err := json.Unmarshal(out, &done); err != nil {
		t.Fatalf("send: %v: %s", err, out)
	}
	return done
}

// TestBlast is no test: it is the process that sends.
func TestBlast(t *testing.T) {
	order := os.Getenv(blastVariable)
	if order == "" {
		t.Skip("only for other tests")
	}
	var b blast
	if err := json.Unmarshal([]byte(order), &b); err != nil {
		t.Fatal(err)
	}
	done, err := b.run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(done)
	os.Exit(0) // without the words of the test
}

// message is the kernel's struct mmsghdr.
type message struct {
	header unix.Msghdr
	length uint32
}

// together is how many packets one system call sends.
const together = 32

func (b blast) run() (done blasted, err error) {
	frames, err := readFrames(b.File, b.Packets)
	if err != nil {
		return done, err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	if err != nil {
		return done, err
	}
	index, err := interfaceIndex(fd, b.Interface)
	if err != nil {
		return done, err
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: index}); err != nil {
		return done, err
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1)
	var messages [together]message
	var parts [together]unix.Iovec
	start := time.Now()
	for done.Sent < len(frames) {
		if b.Rate > 0 {
			due := time.Duration(float64(done.Sent) / float64(b.Rate) * float64(time.Second))
			if wait := due - time.Since(start); wait > 0 {
				time.Sleep(wait)
				continue
			}
		}
		n := min(together, len(frames)-done.Sent)
		for i, f := range frames[done.Sent : done.Sent+n] {
			parts[i].Base = &f[0]
			parts[i].SetLen(len(f))
			messages[i].header.Iov = &parts[i]
			messages[i].header.SetIovlen(1)
		}
		sent, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&messages[0])), uintptr(n), 0, 0, 0)
		switch errno {
		case 0:
			done.Sent += int(sent)
		case unix.ENOBUFS, unix.EAGAIN, unix.EINTR:
		default:
			return done, errno
		}
	}
	done.Seconds = time.Since(start).Seconds()
	runtime.KeepAlive(frames)
	return done, nil
}

func interfaceIndex(fd int, name string) (int, error) {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return 0, err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request); err != nil {
		return 0, err
	}
	return int(request.Uint32()), nil
}

// readFrames reads the packets of a little-endian pcap file, as weir plant
// writes it.
func readFrames(path string, most int) ([][]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var frames [][]byte
	for at := 24; at+16 <= len(data) && len(frames) < most; {
		n := int(binary.LittleEndian.Uint32(data[at+8:]))
		at += 16
		if at+n > len(data) {
			break
		}
		frames = append(frames, data[at:at+n])
		at += n
	}
	return frames, nil
}
