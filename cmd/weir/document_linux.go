package main

import (
	"os"
	"syscall"
	"unsafe"
)

// outside returns memory that the garbage collector knows nothing of, nil if there is
// none.
func outside(octets int) []byte {
	data, err := syscall.Mmap(-1, 0, octets, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil
	}
	return data
}

// giveBack gives the whole pages of a part of it back, and tells how many octets
// these were. What reads them again finds zeros.
func giveBack(part []byte) int {
	if len(part) == 0 {
		return 0
	}
	page := os.Getpagesize()
	skip := -int(uintptr(unsafe.Pointer(&part[0]))) & (page - 1)
	n := (len(part) - skip) &^ (page - 1)
	if n <= 0 || syscall.Madvise(part[skip:skip+n], syscall.MADV_DONTNEED) != nil {
		return 0
	}
	return n
}

// release gives all of it back for good.
func release(all []byte) { _ = syscall.Munmap(all) }
