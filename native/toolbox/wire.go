package toolbox

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// A frame is a length (four bytes, big-endian) and that many bytes of JSON.
const longestFrame = 256 << 20

var errTooLong = errors.New("a message is longer than it may be")

// A call asks for one method. Folder is the only one whose files may be read.
type call struct {
	ID       uint64          `json:"id"`
	Method   string          `json:"method,omitempty"`
	Folder   string          `json:"folder,omitempty"`
	Params   json.RawMessage `json:"params,omitempty"`
	Deadline int             `json:"deadline_ms,omitempty"`
	Memory   int             `json:"memory_bytes,omitempty"`
	Output   int             `json:"output_bytes,omitempty"`
	Cancel   bool            `json:"cancel,omitempty"`
}

// A reply carries the call's number and either a result or a problem.
type reply struct {
	ID     uint64          `json:"id"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  *problem        `json:"error,omitempty"`
}

// A problem is what a method answers instead of a result: a stable code, a sentence, a place.
type problem struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Place   string `json:"place,omitempty"`
}

func (p *problem) Error() string { return p.Message }

func problemf(code, format string, values ...any) *problem {
	return &problem{Code: code, Message: fmt.Sprintf(format, values...)}
}

var placed = regexp.MustCompile(`([\w@%+=.,/-]+\.\w+):(\d+)(?:[:-](\d+))?`)
var yamlLine = regexp.MustCompile(`([\w@%+=.,/-]+\.\w+): .*line (\d+)`)

// blame gives an error of a library our code, and the place that its text names.
func blame(code string, err error) error {
	var known *problem
	if err == nil || errors.As(err, &known) {
		return err
	}
	text := err.Error()
	found := placed.FindStringSubmatch(text)
	if found == nil {
		found = append(yamlLine.FindStringSubmatch(text), "")
	}
	place := ""
	if len(found) > 2 {
		place = strings.TrimSuffix(strings.Join(found[1:], ":"), ":")
	}
	if strings.Contains(text, "path escapes from parent") {
		code = "outside-folder"
	}
	return &problem{Code: code, Message: text, Place: place}
}

func readFrame(from io.Reader, most int) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return nil, err
	}
	size := int(binary.BigEndian.Uint32(head[:]))
	if size > most {
		return nil, errTooLong
	}
	data := make([]byte, size)
	_, err := io.ReadFull(from, data)
	return data, err
}

func writeFrame(to io.Writer, data []byte) error {
	if len(data) > longestFrame {
		return errTooLong
	}
	framed := binary.BigEndian.AppendUint32(make([]byte, 0, len(data)+4), uint32(len(data)))
	_, err := to.Write(append(framed, data...))
	return err
}

// encode is JSON as it is, without Go's escapes for HTML.
func encode(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimRight(out.Bytes(), "\n"), err
}
