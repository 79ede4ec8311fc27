//go:build !linux

package main

func outside(int) []byte { return nil }

func giveBack([]byte) int { return 0 }

func release([]byte) {}
