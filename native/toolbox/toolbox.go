// Package toolbox serves the functions of Go libraries over a Unix socket.
//
// A call is a connection: a message asks, a message answers, and whoever hangs up wants no answer.
// A message is its length (four bytes, big-endian) and that much JSON. Workers, which are this
// program once more, wait at the socket themselves: the server starts some beforehand, starts
// others while all are busy, and replaces those that end. A worker takes one call at a time and
// ends itself, with an answer, when a call passes its deadline or its memory; what Go's runtime
// says when it must end comes instead of a message, so the caller learns even that.
package toolbox

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

const (
	patience = 30 * time.Millisecond // all workers are busy for so long: one more is started
	idleTime = 5 * time.Second       // without a call for so long: one that is too many ends
)

// Run is the component: it serves until it is told to end, and returns the exit status.
func Run(args []string) int {
	flags := flag.NewFlagSet("toolbox", flag.ContinueOnError)
	socket := flags.String("socket", "", "path of the Unix socket to listen on")
	ready := flags.Int("workers", 1, "workers kept ready")
	most := flags.Int("most", 8, "workers at once")
	role := flags.String("role", "", "worker or spare: for the toolbox itself")
	if flags.Parse(args) != nil || flags.NArg() > 0 || (*socket == "") == (*role == "") {
		_, _ = fmt.Fprintln(os.Stderr, "usage: toolbox --socket PATH")
		return 2
	}
	if *role != "" {
		return work(*role)
	}
	if err := serve(*socket, max(*ready, 1), *most); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "toolbox:", err)
		return 1
	}
	return 0
}

// listen opens a socket that only its owner may use, unless another toolbox serves it.
func listen(path string) (*os.File, error) {
	if other, err := net.Dial("unix", path); err == nil {
		_ = other.Close()
		return nil, fmt.Errorf("another toolbox serves %s", path)
	}
	_ = os.Remove(path)
	old := syscall.Umask(0o177)
	defer syscall.Umask(old)
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		return nil, err
	}
	return listener.File()
}

// A worker is a child process, and whether it has a call.
type worker struct{ busy bool }

// news is what a worker's pipe says: it took a call, it is free again, or it is gone.
type news struct {
	from *worker
	word byte
}

const taken, free, gone, look = '+', '-', 'x', '?'

func serve(socket string, ready, most int) error {
	folder, err := filepath.Abs(filepath.Dir(socket))
	socket = filepath.Base(socket) // a socket's path may not be long
	if err := errors.Join(err, os.Chdir(folder)); err != nil {
		return err
	}
	listener, err := listen(socket)
	if err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	defer func() { _ = os.Remove(socket) }()
	heard, living := make(chan news), []*worker{}
	for {
		for len(living) < ready {
			one, err := start(listener, "worker", folder, heard)
			if err != nil {
				return err
			}
			living = append(living, one)
		}
		select {
		case <-stop:
			return nil // the workers see that the other end of their pipe is gone
		case told := <-heard:
			told.from.busy = told.word == taken || told.word == look
			idle := slices.ContainsFunc(living, func(one *worker) bool { return !one.busy })
			switch {
			case told.word == gone:
				living = slices.DeleteFunc(living, func(one *worker) bool { return one == told.from })
			case told.word == taken && !idle:
				time.AfterFunc(patience, func() { heard <- news{&worker{}, look} })
			case told.word == look && !idle && len(living) < most:
				if one, err := start(listener, "spare", folder, heard); err == nil {
					living = append(living, one)
				}
			}
		}
	}
}

// start starts a worker: the listener is its file 3, and file 4 is the pipe on which it tells what
// it does and by whose end it knows that the server is gone.
func start(listener *os.File, role, folder string, heard chan<- news) (*worker, error) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "worker"), os.NewFile(uintptr(pair[1]), "server")
	scratch, err := os.MkdirTemp(folder, ".worker-")
	if err != nil {
		return nil, err
	}
	child := command(role, scratch, listener, theirs)
	if os.Geteuid() != 0 { // the right to see less comes with a user namespace
		child.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		child.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
		child.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	if err = child.Start(); err != nil { // calls then say that they cannot be confined
		child = command(role, scratch, listener, theirs)
		err = child.Start()
	}
	_ = syscall.SetNonblock(int(listener.Fd()), true) // of all that share it: Fd ended that
	_ = theirs.Close()
	if err != nil {
		_, _ = ours.Close(), os.Remove(scratch)
		return nil, err
	}
	one := &worker{}
	go func() {
		word := make([]byte, 1)
		for count, err := ours.Read(word); count > 0 && err == nil; count, err = ours.Read(word) {
			heard <- news{one, word[0]}
		}
		_ = child.Wait()
		_, _ = ours.Close(), os.RemoveAll(scratch)
		heard <- news{one, gone}
	}()
	return one, nil
}

// command is this program in another role, without environment but for a folder of its own.
func command(role, scratch string, files ...*os.File) *exec.Cmd {
	child := exec.Command("/proc/self/exe", "toolbox", "--role", role)
	child.Args[0] = "fairway-native"
	child.Env = []string{"TMPDIR=" + scratch, "GOGC=400"} // what is left over goes when it is idle
	child.Dir, child.ExtraFiles = scratch, files
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return child
}
