package toolbox

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// A problem is what a method answers instead of a result: a stable code, a sentence, a place.
// Methods panic with one; perform catches it.
type problem struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Place   string `json:"place"`
}

func (p *problem) Error() string { return p.Message }

func problemf(code, format string, values ...any) *problem {
	return &problem{Code: code, Message: fmt.Sprintf(format, values...)}
}

var places = []*regexp.Regexp{
	regexp.MustCompile(`([\w@%+=.,/-]+\.\w+:\d+(?::\d+)?)`),
	regexp.MustCompile(`([\w@%+=.,/-]+\.\w+): .*line (\d+)`),
}

// signs are texts of libraries that tell more than who called them: the first that fits.
var signs = []struct{ text, code string }{
	{"no 'git' program", "no-network"}, {"the toolbox has no network", "no-network"},
	{"no such file or directory", "no-file"}, {"is a directory", "no-file"},
}

// check ends a method with an error, if there is one, by our code and at the place that it names.
func check(code string, err error) {
	if err == nil {
		return
	}
	told := problemf(code, "%s", err)
	if errors.As(err, &told) {
		panic(told)
	}
	for _, sign := range signs {
		if told.Code == code && strings.Contains(told.Message, sign.text) {
			told.Code = sign.code
		}
	}
	for _, pattern := range places {
		if found := pattern.FindStringSubmatch(told.Message); found != nil && told.Place == "" {
			told.Place = strings.TrimPrefix(strings.Join(found[1:], ":"), "/")
		}
	}
	panic(told)
}

// got is `got(f())(code)`: what f gives, or the end of the method.
func got[T any](value T, err error) func(code string) T {
	return func(code string) T {
		check(code, err)
		return value
	}
}
