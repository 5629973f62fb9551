package main

import (
	"os"
	"syscall"
	"testing"
)

func TestItHoldsUntilItIsToldToEndWhateverChildrenDo(t *testing.T) {
	for _, last := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		signals := make(chan os.Signal, 4)
		signals <- syscall.SIGCHLD
		signals <- syscall.SIGCHLD
		signals <- last
		signals <- syscall.SIGCHLD
		hold(signals)
		if len(signals) != 1 {
			t.Error(last, "left", len(signals))
		}
	}
}

func TestEveryChildThatHasEndedIsReaped(t *testing.T) {
	for range 3 {
		pid, err := syscall.ForkExec("/bin/true", []string{"true"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for syscall.Kill(pid, 0) == nil { // it has ended and been reaped when there is none
			reap()
		}
	}
}
