package toolbox

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"
	"k8s.io/klog/v2"
)

const (
	longest = 128 << 20 // of one message; what Go says when it must end begins with more
	worn    = 256 << 20 // memory of a free worker that is better replaced
)

// A call asks for one method, which sees no files but those of the folder, as "/".
type call struct {
	Method   string          `json:"method"`
	Folder   string          `json:"folder"`
	Params   json.RawMessage `json:"params"`
	Deadline int             `json:"deadline_ms"`
	Memory   int             `json:"memory_bytes"`
	Output   int             `json:"output_bytes"`
	leave    func()          // ends that the folder is all there is
}

type reply struct {
	Result any      `json:"result,omitempty"`
	Error  *problem `json:"error,omitempty"`
}

var methods = map[string]func(*call) any{
	"compose":       takes(composeModel),
	"defaults":      takes(defaults),
	"expr":          takes(runExpr),
	"gotemplate":    takes(goTemplate),
	"helm.lint":     takes(helmLint),
	"helm.package":  takes(helmPackage),
	"helm.show":     takes(helmShow),
	"helm.template": takes(helmTemplate),
	"jq":            takes(runQuery),
	"jsonnet":       takes(evaluateJsonnet),
	"jsonpath":      takes(jsonPath),
	"kustomize":     takes(kustomizeBuild),
	"lua":           takes(runLua),
	"merge":         takes(mergePatch),
	"threeway":      takes(threeWay),
}

// takes reads a method's parameters strictly: an unknown one is a mistake.
func takes[P any](run func(*call, *P) any) func(*call) any {
	return func(asked *call) any {
		var params P
		decoder := json.NewDecoder(bytes.NewReader(asked.Params))
		decoder.DisallowUnknownFields()
		check("bad-params", decoder.Decode(&params))
		return run(asked, &params)
	}
}

var (
	statm   *os.File // /proc/self/statm, which a folder does not have
	nowhere string   // an empty folder, for calls without one
)

type offline struct{}

func (offline) RoundTrip(asked *http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("%s is remote: the toolbox has no network", asked.URL)
}

// work takes calls, one at a time, until the server is gone. A spare worker ends when it is idle.
func work(role string) int {
	http.DefaultTransport = offline{}              // with no PATH either, no library reaches out
	slog.SetDefault(slog.New(slog.DiscardHandler)) // and what uses the older log
	logrus.SetOutput(io.Discard)
	klog.SetOutput(io.Discard)
	klog.LogToStderr(false)
	debug.SetMaxStack(256 << 20)
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("500"), 0)
	listening, server := os.NewFile(3, "listener"), os.NewFile(4, "server")
	var noMemory, noFolder error
	statm, noMemory = os.Open("/proc/self/statm")
	nowhere, noFolder = os.MkdirTemp("", "nowhere")
	found, noListener := net.FileListener(listening)
	if errors.Join(noMemory, noFolder, noListener) != nil {
		return 1
	}
	go func() { // nothing is ever said on this pipe: its end is the server's
		_, _ = server.Read(make([]byte, 1))
		os.Exit(0)
	}()
	listener := found.(*net.UnixListener)
	listener.SetUnlinkOnClose(false)
	for {
		if role == "spare" {
			_ = listener.SetDeadline(time.Now().Add(idleTime))
		}
		idle := time.AfterFunc(idleTime, debug.FreeOSMemory)
		connection, err := listener.AcceptUnix()
		if err != nil {
			return 0
		}
		idle.Stop()
		_, _ = server.Write([]byte{taken})
		if asked, err := readMessage(connection); err == nil {
			handle(connection, asked)
		}
		_ = connection.Close()
		_, _ = server.Write([]byte{free})
		if resident() > worn {
			return 0
		}
	}
}

// handle answers a call. While a method runs, a guard looks at the clock, the memory and the
// caller, and ends this process when one of them says so.
func handle(connection *net.UnixConn, data []byte) {
	asked := &call{Deadline: 30_000, Memory: 512 << 20, Output: 32 << 20}
	if err := json.Unmarshal(data, asked); err != nil {
		send(connection, reply{Error: problemf("bad-params", "not a call: %s", err)})
		return
	}
	if words, err := connection.File(); err == nil {
		_ = debug.SetCrashOutput(words, debug.CrashOptions{})
		_ = syscall.SetNonblock(int(words.Fd()), true) // which is the connection's, and Fd ended
		_ = words.Close()
	}
	done := make(chan struct{})
	go guard(connection, asked, done)
	answer := perform(asked)
	close(done)
	_ = debug.SetCrashOutput(nil, debug.CrashOptions{})
	send(connection, answer)
}

func guard(connection *net.UnixConn, asked *call, done <-chan struct{}) {
	hungUp := make(chan struct{})
	go func() {
		_, _ = connection.Read(make([]byte, 1))
		close(hungUp)
	}()
	limit := resident() + asked.Memory
	deadline := time.After(time.Duration(asked.Deadline) * time.Millisecond)
	clock := time.NewTicker(5 * time.Millisecond)
	defer clock.Stop()
	for {
		select {
		case <-done:
			return
		case <-hungUp:
			os.Exit(0)
		case <-deadline:
			send(connection, reply{Error: problemf("toolbox-deadline", "%s took longer than %d ms",
				asked.Method, asked.Deadline)})
			os.Exit(0)
		case <-clock.C:
			if resident() > limit {
				send(connection, reply{Error: problemf("toolbox-memory", "%s needs more than %d MB of memory",
					asked.Method, asked.Memory>>20)})
				os.Exit(0)
			}
		}
	}
}

func perform(asked *call) (done reply) {
	defer func() {
		switch cause := recover().(type) {
		case nil:
		case *problem:
			done = reply{Error: cause}
		default:
			done = reply{Error: problemf("toolbox-crashed", "%s: %v", asked.Method, cause)}
		}
	}()
	run, known := methods[asked.Method]
	if !known {
		return reply{Error: problemf("no-method", "the toolbox has no method %q", asked.Method)}
	}
	bound(asked.Memory)
	if asked.Folder == "" {
		asked.Folder = nowhere
	}
	asked.leave = got(enter(asked.Folder))("toolbox-unconfined")
	defer asked.leave()
	result := got(encode(run(asked)))("not-json")
	if len(result) > asked.Output {
		tooLong(asked)
	}
	return reply{Result: json.RawMessage(result)}
}

func tooLong(asked *call) {
	panic(problemf("toolbox-output", "%s makes more than %d bytes of output", asked.Method, asked.Output))
}

// memory is what this process has mapped and what of that is resident, in bytes.
func memory() (mapped, resident int) {
	data := make([]byte, 64)
	count, _ := statm.ReadAt(data, 0)
	_, _ = fmt.Sscan(string(data[:count]), &mapped, &resident)
	return mapped * os.Getpagesize(), resident * os.Getpagesize()
}

func resident() int { _, used := memory(); return used }

// bound makes the collector try harder near the limit, and leaves no address far past it, for what
// asks for much at once.
func bound(most int) {
	debug.SetMemoryLimit(int64(most) * 9 / 10)
	mapped, _ := memory()
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_AS, &limit) == nil {
		limit.Cur = min(uint64(mapped+most*3/2+(256<<20)), limit.Max)
		_ = syscall.Setrlimit(syscall.RLIMIT_AS, &limit)
	}
}

// enter makes a folder the only thing that this process sees: whatever names, links and `..` its
// libraries follow, the kernel keeps them inside. What it gives leads back, once.
func enter(folder string) (leave func(), err error) {
	before, err := os.Open("/")
	if err != nil {
		return nil, err
	}
	if err := os.Chdir(folder); err != nil {
		return nil, errors.Join(err, before.Close())
	}
	if err := syscall.Chroot("."); err != nil {
		return nil, errors.Join(err, before.Chdir(), before.Close())
	}
	return sync.OnceFunc(func() {
		if errors.Join(before.Chdir(), syscall.Chroot("."), before.Close()) != nil {
			os.Exit(1) // a worker that cannot find back is of no use
		}
	}), nil
}

func readMessage(from io.Reader) ([]byte, error) {
	var size uint32
	if err := binary.Read(from, binary.BigEndian, &size); err != nil || size > longest {
		return nil, errors.Join(err, io.ErrShortBuffer)
	}
	data := make([]byte, size)
	_, err := io.ReadFull(from, data)
	return data, err
}

func send(to *net.UnixConn, answer reply) {
	data, _ := encode(answer) // of texts and what is JSON already
	_ = to.SetWriteDeadline(time.Now().Add(30 * time.Second))
	_, _ = to.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...))
}

// encode is JSON as it is, without Go's escapes for HTML.
func encode(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimRight(out.Bytes(), "\n"), err
}
