// Command fairway-native is Kubernetes and its companions in one program:
//
//	fairway-native COMPONENT [flags]
//
// Each component is a process of its own with the flags it has everywhere else. Nothing here
// decides anything about delivery: that is Python's.
package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"fairway.dev/native/node"
	"fairway.dev/native/toolbox"
)

// programs are the components by name; os.Args is already the component's own.
var programs = map[string]func(args []string) int{
	"coredns":                 runCoreDNS,
	"etcd":                    runEtcd,
	"helm":                    runHelm,
	"kube-apiserver":          runAPIServer,
	"kube-controller-manager": runControllerManager,
	"kube-proxy":              runProxy,
	"kube-scheduler":          runScheduler,
	"kubectl":                 runKubectl,
	"kubelet":                 runKubelet,
	"node":                    node.Run,
	"toolbox":                 toolbox.Run,
}

func usage(to io.Writer) {
	names := strings.Join(slices.Sorted(maps.Keys(programs)), " ")
	_, _ = fmt.Fprintf(to, "usage: fairway-native COMPONENT [flags]\ncomponents: %s\n", names)
}

// easeStart lets a component make more garbage while it starts (percent of what lives) than
// afterwards (GOGC): collecting often keeps it small, and would be a third of kube-apiserver's time
// in its first seconds. What it returns ends the start.
func easeStart(percent int) func() {
	steady := debug.SetGCPercent(percent)
	return func() { debug.SetGCPercent(steady); debug.FreeOSMemory() }
}

func main() {
	if len(os.Args) < 2 {
		usage(os.Stderr)
		os.Exit(2)
	}
	run, known := programs[os.Args[1]]
	if !known {
		_, _ = fmt.Fprintf(os.Stderr, "fairway-native has no component %q\n", os.Args[1])
		usage(os.Stderr)
		os.Exit(2)
	}
	if percent, err := strconv.Atoi(os.Getenv("FAIRWAY_START_GOGC")); err == nil && percent > 0 {
		time.AfterFunc(45*time.Second, easeStart(percent))
	}
	os.Args = os.Args[1:]
	os.Exit(run(os.Args[1:]))
}
