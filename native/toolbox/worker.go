package toolbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"github.com/sirupsen/logrus"
	"k8s.io/klog/v2"
)

// A job is a call as its method sees it.
type job struct {
	*call
	folder *folder // nil when the call names none
}

// A method answers a job with a value for JSON.
type method func(*job) (any, error)

var methods = map[string]method{
	"compose":        takes(composeModel),
	"defaults":       takes(defaults),
	"expr":           takes(runExpr),
	"gotemplate":     takes(goTemplate),
	"helm.lint":      takes(helmLint),
	"helm.package":   takes(helmPackage),
	"helm.show":      takes(helmShow),
	"helm.template":  takes(helmTemplate),
	"jq":             takes(runQuery),
	"jsonnet":        takes(evaluateJsonnet),
	"kustomize":      takes(kustomizeBuild),
	"lua":            takes(runLua),
	"merge.strategy": takes(mergePatch),
	"merge.threeway": takes(threeWay),
}

// jailed methods use libraries that open files by path, so their workers see one folder only.
var jailed = map[string]bool{"compose": true}

// takes reads a method's parameters strictly: an unknown one is a mistake.
func takes[P any](run func(*job, *P) (any, error)) method {
	return func(one *job) (any, error) {
		var params P
		decoder := json.NewDecoder(bytes.NewReader(one.Params))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&params); err != nil && !errors.Is(err, io.EOF) {
			return nil, problemf("bad-params", "%s: %s", one.Method, err)
		}
		return run(one, &params)
	}
}

type offline struct{}

func (offline) RoundTrip(asked *http.Request) (*http.Response, error) {
	return nil, problemf("no-network", "the toolbox has no network: %s is not fetched", asked.URL)
}

// work answers calls from file 3 to file 4, one at a time, until the server is gone.
func work(jail bool) int {
	calls, replies := os.NewFile(3, "calls"), os.NewFile(4, "replies")
	http.DefaultTransport = offline{} // with no PATH either, no library reaches out
	log.SetOutput(io.Discard)
	slog.SetDefault(slog.New(slog.DiscardHandler))
	logrus.SetOutput(io.Discard)
	klog.SetLogger(klog.Logger{})
	debug.SetMaxStack(256 << 20)
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("500"), 0)
	todo := make(chan *call)
	go func() {
		for {
			data, err := readFrame(calls, longestFrame)
			var asked call
			if err != nil || json.Unmarshal(data, &asked) != nil {
				os.Exit(0)
			}
			todo <- &asked
		}
	}()
	for asked := range todo {
		data, err := encode(answer(asked, jail))
		if err == nil && len(data) > asked.Output+512 {
			data, err = encode(reply{Error: outputTooLong(asked).(*problem)})
		}
		if err != nil || writeFrame(replies, data) != nil {
			return 1
		}
	}
	return 0
}

func answer(asked *call, jail bool) (done reply) {
	defer func() {
		if cause := recover(); cause != nil {
			done = reply{Error: problemf("toolbox-crashed", "%s: %v", asked.Method, cause)}
		}
	}()
	result, err := perform(asked, jail)
	if err != nil {
		var told *problem
		if !errors.As(err, &told) {
			told = problemf("toolbox-failed", "%s", err)
		}
		return reply{Error: told}
	}
	data, err := encode(result)
	if err != nil {
		return reply{Error: problemf("not-json", "%s: %s", asked.Method, err)}
	}
	if len(data) > asked.Output {
		return reply{Error: outputTooLong(asked).(*problem)}
	}
	return reply{Result: data}
}

func perform(asked *call, jail bool) (any, error) {
	run, known := methods[asked.Method]
	if !known {
		return nil, problemf("no-method", "the toolbox has no method %q", asked.Method)
	}
	bound(asked.Memory)
	one := &job{call: asked}
	if asked.Folder != "" {
		if jail {
			if err := enter(asked.Folder); err != nil {
				return nil, problemf("toolbox-unconfined", "%s: %s", asked.Folder, err)
			}
		}
		folder, err := openFolder(asked.Folder)
		if err != nil {
			return nil, err
		}
		defer folder.close()
		one.folder = folder
	}
	return run(one)
}

// bound limits what this process may allocate: the collector tries harder near the limit, and past
// it there is no address left. The server's own look ends what stays between.
func bound(memory int) {
	debug.SetMemoryLimit(int64(memory) * 9 / 10)
	data, err := os.ReadFile("/proc/self/statm")
	pages, _, _ := strings.Cut(string(data), " ")
	size, _ := strconv.Atoi(pages)
	limit := syscall.Rlimit{}
	if err != nil || syscall.Getrlimit(syscall.RLIMIT_AS, &limit) != nil {
		return
	}
	limit.Cur = min(uint64(size*os.Getpagesize()+memory*3/2+(256<<20)), limit.Max)
	_ = syscall.Setrlimit(syscall.RLIMIT_AS, &limit)
}

// enter makes the folder, at its own path, the only thing that this process can see.
func enter(folder string) error {
	jail, err := os.MkdirTemp("", "jail")
	if err != nil {
		return err
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("mounts of its own: %w", err)
	}
	if err := syscall.Mount("tmpfs", jail, "tmpfs", 0, "size=1m"); err != nil {
		return fmt.Errorf("an empty root: %w", err)
	}
	place := filepath.Join(jail, folder)
	if err := os.MkdirAll(place, 0o755); err != nil {
		return err
	}
	if err := syscall.Mount(folder, place, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("the folder: %w", err)
	}
	return errors.Join(syscall.Chroot(jail), os.Chdir(folder))
}
