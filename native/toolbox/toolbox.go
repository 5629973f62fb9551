// Package toolbox serves the functions of Go libraries over a Unix socket.
//
// A server takes calls (wire.go) from any number of connections and hands each to a worker: this
// program once more, started beforehand, which handles one call at a time (worker.go). What runs
// away is ended with its worker (pool.go); the others do not notice.
package toolbox

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

const (
	defaultDeadline = 30 * time.Second
	defaultMemory   = 512 << 20
	defaultOutput   = 32 << 20
	slowReader      = 30 * time.Second
)

// Run is the component: it serves until it is told to end, and returns the exit status.
func Run(args []string) int {
	flags := flag.NewFlagSet("toolbox", flag.ContinueOnError)
	socket := flags.String("socket", "", "path of the Unix socket to listen on")
	scratch := flags.String("scratch", "", "folder for files of a call under way (default SOCKET.tmp)")
	warm := flags.Int("workers", 1, "workers kept ready")
	most := flags.Int("most", 8, "workers at once")
	worker := flags.Bool("worker", false, "be a worker: for the toolbox itself")
	jail := flags.Bool("jail", false, "of a worker: see nothing but the call's folder")
	if flags.Parse(args) != nil || flags.NArg() > 0 || (*socket == "") == !*worker {
		_, _ = fmt.Fprintln(os.Stderr, "usage: toolbox --socket PATH")
		return 2
	}
	if *worker {
		return work(*jail)
	}
	if *scratch == "" {
		*scratch = *socket + ".tmp"
	}
	if err := listen(*socket, newPool(*scratch, *warm, *most)); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "toolbox:", err)
		return 1
	}
	return 0
}

// listen serves on a socket that only its owner may use, and removes it at the end.
func listen(path string, workers *pool) error {
	if other, err := net.Dial("unix", path); err == nil {
		_ = other.Close()
		return fmt.Errorf("another toolbox serves %s", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	old := syscall.Umask(0o177)
	listener, err := net.Listen("unix", path)
	syscall.Umask(old)
	if err != nil {
		return err
	}
	if err := workers.open(); err != nil {
		_ = listener.Close()
		return err
	}
	defer workers.close()
	stop, done := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer done()
	context.AfterFunc(stop, func() { _ = listener.Close() })
	for {
		connection, err := listener.Accept()
		if stop.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		go serve(stop, connection, workers)
	}
}

// A line is one connection: calls in any order, replies as they are ready.
type line struct {
	net.Conn
	writing sync.Mutex
	calls   sync.Map // number of a call under way -> context.CancelFunc
}

func serve(stop context.Context, connection net.Conn, workers *pool) {
	one := &line{Conn: connection}
	all, end := context.WithCancel(stop)
	defer end() // whoever hung up wants none of the answers
	defer func() { _ = connection.Close() }()
	for {
		data, err := readFrame(connection, longestFrame)
		if err != nil {
			return
		}
		var asked call
		if err := json.Unmarshal(data, &asked); err != nil {
			one.answer(reply{Error: problemf("bad-message", "not a call: %s", err)})
			return
		}
		if asked.Cancel {
			if cancel, known := one.calls.Load(asked.ID); known {
				cancel.(context.CancelFunc)()
			}
			continue
		}
		limits(&asked)
		context, cancel := context.WithTimeout(all, time.Duration(asked.Deadline)*time.Millisecond)
		one.calls.Store(asked.ID, cancel)
		go func() {
			answer := workers.do(context, &asked)
			one.calls.Delete(asked.ID)
			cancel()
			one.answer(answer)
		}()
	}
}

func limits(asked *call) {
	for value, usual := range map[*int]int{
		&asked.Deadline: int(defaultDeadline / time.Millisecond),
		&asked.Memory:   defaultMemory,
		&asked.Output:   defaultOutput,
	} {
		if *value <= 0 {
			*value = usual
		}
	}
	asked.Output = min(asked.Output, longestFrame-1024)
}

func (l *line) answer(answer reply) {
	data, err := encode(answer)
	if err != nil {
		data, _ = encode(reply{ID: answer.ID, Error: problemf("toolbox-crashed", "%s", err)})
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	_ = l.SetWriteDeadline(time.Now().Add(slowReader))
	if writeFrame(l, data) != nil {
		_ = l.Close()
	}
}
