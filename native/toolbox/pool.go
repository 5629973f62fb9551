package toolbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	patience  = 20 * time.Millisecond // before one more worker is started
	glance    = 5 * time.Millisecond  // between two looks at a worker's memory
	idleTime  = 30 * time.Second      // after which a worker that is too many ends
	mostCalls = 200                   // of one worker: what libraries keep goes with it
)

// A pool keeps workers ready, starts more when all are busy, and replaces those that die.
type pool struct {
	scratch    string
	warm, most int
	free       chan *worker
	lock       sync.Mutex
	living     int
	closed     bool
	numbers    int
}

func newPool(scratch string, warm, most int) *pool {
	return &pool{scratch: scratch, warm: max(warm, 1), most: max(most, warm, 1),
		free: make(chan *worker, max(most, warm, 1))}
}

func (p *pool) open() error {
	if err := os.RemoveAll(p.scratch); err != nil {
		return err
	}
	if err := os.MkdirAll(p.scratch, 0o700); err != nil {
		return err
	}
	go func() {
		for range time.Tick(idleTime) {
			p.shrink()
		}
	}()
	return p.refill()
}

// refill starts workers until as many live as are to be kept ready.
func (p *pool) refill() error {
	for p.reserve(p.warm) {
		one, err := p.start(false)
		if err != nil {
			p.release()
			return err
		}
		p.free <- one
	}
	return nil
}

func (p *pool) reserve(most int) bool {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.closed || p.living >= most {
		return false
	}
	p.living++
	return true
}

func (p *pool) release() {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.living--
}

// shrink ends one idle worker more than are to be kept.
func (p *pool) shrink() {
	p.lock.Lock()
	many := p.living > p.warm
	p.lock.Unlock()
	if !many {
		return
	}
	select {
	case one := <-p.free:
		p.drop(one)
	default:
	}
}

func (p *pool) drop(one *worker) {
	one.kill()
	p.release()
	_ = p.refill()
}

func (p *pool) close() {
	p.lock.Lock()
	p.closed = true
	p.lock.Unlock()
	for {
		select {
		case one := <-p.free:
			one.kill()
		default:
			_ = os.RemoveAll(p.scratch)
			return
		}
	}
}

// take waits for a worker until the call's deadline.
func (p *pool) take(ctx context.Context) (*worker, error) {
	for {
		select {
		case one := <-p.free:
			if !one.gone() {
				return one, nil
			}
			p.drop(one)
			continue
		case <-ctx.Done():
			return nil, problemf("toolbox-busy", "no worker became free before the deadline")
		case <-time.After(patience):
		}
		if p.reserve(p.most) {
			one, err := p.start(false)
			if err != nil {
				p.release()
			}
			return one, err
		}
	}
}

// do runs one call in one worker. Whatever happens, there is an answer.
func (p *pool) do(ctx context.Context, asked *call) reply {
	answer, err := p.attempt(ctx, asked)
	var told *problem
	if err != nil && !errors.As(err, &told) {
		told = problemf("toolbox-crashed", "%s", err)
	}
	if told != nil {
		return reply{ID: asked.ID, Error: told}
	}
	answer.ID = asked.ID
	return answer
}

func (p *pool) attempt(ctx context.Context, asked *call) (reply, error) {
	if jailed[asked.Method] {
		one, err := p.start(true)
		if err != nil {
			return reply{}, problemf("toolbox-unconfined",
				"%s needs a mount namespace, and this machine gives none: %s", asked.Method, err)
		}
		defer one.kill()
		return one.run(ctx, asked)
	}
	one, err := p.take(ctx)
	if err != nil {
		return reply{}, err
	}
	answer, err := one.run(ctx, asked)
	if err != nil || one.calls >= mostCalls {
		go p.drop(one)
	} else {
		p.free <- one
	}
	return answer, err
}

// A worker is a child process, and the last words that it wrote to its standard error.
type worker struct {
	command *exec.Cmd
	calls   int
	in, out *os.File
	words   *tail
	ended   chan struct{}
	folder  string
}

func (p *pool) start(jail bool) (*worker, error) {
	p.lock.Lock()
	p.numbers++
	folder := filepath.Join(p.scratch, strconv.Itoa(p.numbers))
	p.lock.Unlock()
	if err := os.Mkdir(folder, 0o700); err != nil {
		return nil, err
	}
	calls, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, replies, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, calls.Close(), in.Close())
	}
	one := &worker{in: in, out: out, words: &tail{}, ended: make(chan struct{}), folder: folder}
	one.command = exec.Command("/proc/self/exe", "toolbox", "--worker", "--jail="+strconv.FormatBool(jail))
	one.command.Args[0] = "fairway-native"
	one.command.Env = []string{"TMPDIR=" + folder, "GOGC=100", "HOME=" + folder}
	one.command.Dir = folder
	one.command.Stderr = one.words
	one.command.ExtraFiles = []*os.File{calls, replies}
	one.command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if jail {
		enclose(one.command.SysProcAttr)
	}
	err = one.command.Start()
	_, _ = calls.Close(), replies.Close()
	if err != nil {
		return nil, errors.Join(err, in.Close(), out.Close(), os.RemoveAll(folder))
	}
	go func() {
		_ = one.command.Wait()
		_ = os.RemoveAll(folder)
		close(one.ended)
	}()
	return one, nil
}

// enclose gives a worker mounts of its own; who is not root gets that right with a user namespace.
func enclose(attributes *syscall.SysProcAttr) {
	attributes.Cloneflags = syscall.CLONE_NEWNS
	if os.Geteuid() != 0 {
		attributes.Cloneflags |= syscall.CLONE_NEWUSER
		attributes.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		attributes.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
}

func (w *worker) gone() bool {
	select {
	case <-w.ended:
		return true
	default:
		return false
	}
}

func (w *worker) kill() {
	_ = w.command.Process.Kill()
	<-w.ended
	_, _ = w.in.Close(), w.out.Close()
}

// run hands over a call and waits for its reply, its deadline or its memory's end. After an error
// the worker is not to be used again.
func (w *worker) run(ctx context.Context, asked *call) (reply, error) {
	w.calls++
	data, err := encode(asked)
	if err != nil {
		return reply{}, err
	}
	before := w.resident()
	replies := make(chan []byte, 1)
	go func() {
		defer close(replies)
		if writeFrame(w.in, data) != nil {
			return
		}
		if answer, err := readFrame(w.out, asked.Output+1024); err == nil {
			replies <- answer
		} else if errors.Is(err, errTooLong) {
			replies <- nil
		}
	}()
	look := time.NewTicker(glance)
	defer look.Stop()
	for {
		select {
		case data, answered := <-replies:
			return w.heard(data, answered, asked)
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return reply{}, problemf("toolbox-cancelled", "%s was cancelled", asked.Method)
			}
			return reply{}, problemf("toolbox-deadline", "%s took longer than %s", asked.Method,
				time.Duration(asked.Deadline)*time.Millisecond)
		case <-look.C:
			if w.resident() > before+asked.Memory {
				return reply{}, tooMuch(asked)
			}
		}
	}
}

func tooMuch(asked *call) error {
	return problemf("toolbox-memory", "%s needs more than %d MB of memory", asked.Method, asked.Memory>>20)
}

func (w *worker) heard(data []byte, answered bool, asked *call) (reply, error) {
	var answer reply
	switch {
	case answered && data != nil:
		return answer, json.Unmarshal(data, &answer)
	case answered:
		return answer, outputTooLong(asked)
	}
	select {
	case <-w.ended:
	case <-time.After(time.Second):
	}
	last := w.words.String()
	for _, sign := range []string{"out of memory", "cannot allocate memory", "stack exceeds", "new OS thread"} {
		if strings.Contains(last, sign) {
			return answer, tooMuch(asked)
		}
	}
	first, _, _ := strings.Cut(last, "\n")
	return answer, problemf("toolbox-crashed", "the worker of %s ended: %s %s", asked.Method,
		w.command.ProcessState, first)
}

func outputTooLong(asked *call) error {
	return problemf("toolbox-output", "%s makes more than %d bytes of output", asked.Method, asked.Output)
}

// resident is the worker's memory in bytes; 0 when it is gone.
func (w *worker) resident() int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", w.command.Process.Pid))
	words := bytes.Fields(data)
	if err != nil || len(words) < 2 {
		return 0
	}
	pages, _ := strconv.Atoi(string(words[1]))
	return pages * os.Getpagesize()
}

// A tail keeps the first words written to it: Go's runtime says first why it ends.
type tail struct {
	lock sync.Mutex
	data []byte
}

func (t *tail) Write(data []byte) (int, error) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.data = append(t.data, data[:min(len(data), 4096-len(t.data))]...)
	return len(data), nil
}

func (t *tail) String() string {
	t.lock.Lock()
	defer t.lock.Unlock()
	return string(t.data)
}
