package plant

import (
	"encoding/binary"

	"github.com/weir-ics/weir/plant/wire"
)

// appendFileStatus appends a file command status object, group 70 variation 4.
func appendFileStatus(dst []byte, handle, size uint32, status uint8) []byte {
	dst = append(dst, 70, 4, wire.FreeFormat, 1, 13, 0)
	dst = binary.LittleEndian.AppendUint32(dst, handle)
	dst = binary.LittleEndian.AppendUint32(dst, size)
	return append(dst, fileBlock&0xff, fileBlock>>8, 0, 0, status)
}

const fileBlock = 512

func (o *outstation) fileCommand(dst []byte, function uint8, objects []byte) ([]byte, uint16) {
	if len(objects) < 6 || objects[0] != 70 || objects[2] != wire.FreeFormat {
		return dst, wire.IINParameter
	}
	switch function {
	case wire.OpenFile:
		o.fileOpen = true
		return appendFileStatus(dst, 0x11223344, uint32(len(o.file)), 0), 0
	case wire.CloseFile:
		o.fileOpen = false
		return appendFileStatus(dst, 0x11223344, 0, 0), 0
	}
	return appendFileStatus(dst, 0, 0, 0), 0 // deleted
}

// readFile answers a read of one block of the open file, group 70 variation 5.
func (o *outstation) readFile(dst []byte, objects []byte) ([]byte, uint16) {
	if len(objects) < 3+8 || !o.fileOpen {
		return dst, wire.IINParameter
	}
	block := binary.LittleEndian.Uint32(objects[7:]) &^ (1 << 31)
	from := min(int(block)*fileBlock, len(o.file))
	to := min(from+fileBlock, len(o.file))
	size := 8 + to - from
	dst = append(dst, 70, 5, wire.FreeFormat, 1, byte(size), byte(size>>8))
	dst = append(dst, objects[3:7]...)
	if to == len(o.file) {
		block |= 1 << 31
	}
	dst = binary.LittleEndian.AppendUint32(dst, block)
	return append(dst, o.file[from:to]...), 0
}
