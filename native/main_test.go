package main

import (
	"runtime/debug"
	"testing"
)

func TestAStartMakesMoreGarbageAndWhatComesAfterAsMuchAsBefore(t *testing.T) {
	before := debug.SetGCPercent(50)
	defer debug.SetGCPercent(before)
	settle := easeStart(200)
	if now := debug.SetGCPercent(200); now != 200 {
		t.Errorf("it starts with %d", now)
	}
	settle()
	if now := debug.SetGCPercent(50); now != 50 {
		t.Errorf("it goes on with %d", now)
	}
}
