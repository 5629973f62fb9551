// Report turns what `go test` says into files that everybody reads:
//
//	go test -json ./... | go run ./tools/report reports/unit.xml reports/cover.out reports/cover.info
//
// reads test events from its input, writes JUnit to the first file, and turns the cover profile
// into LCOV. It ends as the tests did, and shows what failed.
package main

import (
	"bufio"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log"
	"os"
	"sort"
	"strings"
)

type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64
}

type testCase struct {
	Class   string   `xml:"classname,attr"`
	Name    string   `xml:"name,attr"`
	Time    float64  `xml:"time,attr"`
	Failure *message `xml:"failure,omitempty"`
	Skipped *message `xml:"skipped,omitempty"`
}

type message struct {
	Text string `xml:",chardata"`
}

type suite struct {
	XMLName  xml.Name   `xml:"testsuite"`
	Name     string     `xml:"name,attr"`
	Tests    int        `xml:"tests,attr"`
	Failures int        `xml:"failures,attr"`
	Cases    []testCase `xml:"testcase"`
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 && len(os.Args) != 4 {
		log.Fatal("usage: report JUNIT [PROFILE LCOV]")
	}
	all, good := readEvents()
	data, err := xml.MarshalIndent(all, "", "  ")
	if err == nil {
		err = os.WriteFile(os.Args[1], append(data, '\n'), 0o644)
	}
	if err == nil && len(os.Args) == 4 {
		err = lcov(os.Args[2], os.Args[3])
	}
	if err != nil {
		log.Fatal(err)
	}
	if !good {
		os.Exit(1)
	}
}

func readEvents() (suite, bool) {
	all, good := suite{Name: "go"}, true
	output := map[string]string{}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Println(lines.Text()) // not an event: a compiler's words
			continue
		}
		key := e.Package + " " + e.Test
		switch e.Action {
		case "output":
			output[key] += e.Output
			if e.Test == "" {
				fmt.Print(e.Output)
			}
		case "pass", "fail", "skip":
			good = good && e.Action != "fail"
			if e.Test != "" {
				all.add(e, output[key])
			}
		}
	}
	return all, good
}

func (s *suite) add(e event, output string) {
	one := testCase{Class: e.Package, Name: e.Test, Time: e.Elapsed}
	switch e.Action {
	case "fail":
		fmt.Print(output)
		one.Failure = &message{output}
		s.Failures++
	case "skip":
		one.Skipped = &message{output}
	}
	s.Tests++
	s.Cases = append(s.Cases, one)
}

// A line of a profile: webflix/ratings/book.go:30.2,34.16 3 1
func lcov(profile, target string) error {
	data, err := os.ReadFile(profile)
	if err != nil {
		return err
	}
	files := map[string]map[int]int{}
	for _, line := range strings.Split(string(data), "\n") {
		var first, last, skip, count int
		name, rest, found := strings.Cut(line, ".go:")
		if !found {
			continue
		}
		format := "%d.%d,%d.%d %d %d"
		if _, err := fmt.Sscanf(rest, format, &first, &skip, &last, &skip, &skip, &count); err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
		_, name, _ = strings.Cut(name, "/")
		_, name, _ = strings.Cut(name, "/")
		if files[name] == nil {
			files[name] = map[int]int{}
		}
		for number := first; number <= last; number++ {
			if count >= files[name][number] {
				files[name][number] = count
			}
		}
	}
	return write(files, target)
}

func write(files map[string]map[int]int, target string) error {
	var out strings.Builder
	for _, name := range keys(files) {
		fmt.Fprintf(&out, "SF:%s.go\n", name)
		for _, number := range keys(files[name]) {
			fmt.Fprintf(&out, "DA:%d,%d\n", number, files[name][number])
		}
		out.WriteString("end_of_record\n")
	}
	return os.WriteFile(target, []byte(out.String()), 0o644)
}

func keys[K int | string, V any](of map[K]V) []K {
	all := make([]K, 0, len(of))
	for key := range of {
		all = append(all, key)
	}
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	return all
}
