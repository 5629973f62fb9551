package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type shelf map[int]string

func (s shelf) Find(number int) (*Film, error) {
	if number == 500 {
		return nil, errors.New("out of order")
	}
	if title, there := s[number]; there {
		return &Film{ID: number, Title: title}, nil
	}
	return nil, nil
}

func TestTheAPI(t *testing.T) {
	book := open(t, filepath.Join(t.TempDir(), "journal"))
	handler := Handler(book, shelf{1: "A Trip to the Moon", 7: "Metropolis"})
	cases := []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"GET", "/healthz", "", 200, `"ok"`},
		{"GET", "/films/7", "", 200, `{"film":7,"average":0,"count":0}`},
		{"POST", "/films/7", `{"stars": 5}`, 201, `{"film":7,"average":5,"count":1}`},
		{"POST", "/films/7", `{"stars": 4}`, 201, `{"film":7,"average":4.5,"count":2}`},
		{"GET", "/films/7", "", 200, `{"film":7,"average":4.5,"count":2}`},
		{"POST", "/films/7", `{"stars": 9}`, 422, "from 1 to 5"},
		{"POST", "/films/7", `five`, 400, "send"},
		{"POST", "/films/99", `{"stars": 3}`, 404, "no such film"},
		{"POST", "/films/500", `{"stars": 3}`, 502, "out of order"},
		{"GET", "/films/seven", "", 404, "no film"},
		{"POST", "/films/1", `{"stars": 2}`, 201, `{"film":1,"average":2,"count":1}`},
		{"GET", "/top?limit=1", "", 200, `{"top":[{"film":7,"average":4.5,"count":2}]}`},
		{"GET", "/top?limit=many", "", 200, `"film":1`},
	}
	for _, c := range cases {
		t.Run(c.method+" "+c.path+" "+c.body, func(t *testing.T) {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest(c.method, c.path, strings.NewReader(c.body)))
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		})
	}
}

// Our client against a catalogue that does what the contract says, and no more.
func TestTheClientNeedsNoMoreThanTheContract(t *testing.T) {
	examples := map[string]any{"number": 1, "string": "words"}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, clause := range clauses(t) {
			if clause.Path == r.URL.Path {
				body := map[string]any{}
				for name, kind := range clause.Fields {
					body[name] = examples[kind]
				}
				reply(w, clause.Status, body)
				return
			}
		}
		w.WriteHeader(http.StatusTeapot)
	}))
	defer server.Close()
	films := &Catalogue{URL: server.URL}
	if film, err := films.Find(1); err != nil || film == nil || film.Title != "words" {
		t.Fatalf("got %v, %v", film, err)
	}
	if film, err := films.Find(4711); err != nil || film != nil {
		t.Fatalf("got %v, %v", film, err)
	}
	if _, err := films.Find(2); err == nil {
		t.Fatal("a teapot is no catalogue")
	}
	if _, err := (&Catalogue{URL: "http://127.0.0.1:1"}).Find(1); err == nil {
		t.Fatal("nobody listens there")
	}
}

type clause struct {
	What, Path string
	Status     int
	Fields     map[string]string
}

func clauses(t *testing.T) []clause {
	t.Helper()
	data, err := os.ReadFile("contract/catalogue.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []clause
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}
