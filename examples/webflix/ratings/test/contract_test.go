// Package test holds what needs running services: skipped where the addresses are not given.
package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
)

func address(t *testing.T, name string) string {
	t.Helper()
	url := os.Getenv(name)
	if url == "" {
		t.Skip(name + " names no service")
	}
	return url
}

func call(t *testing.T, method, url, body string) (int, map[string]any) {
	t.Helper()
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	said := map[string]any{}
	if err := json.NewDecoder(reply.Body).Decode(&said); err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, said
}

// The contract between ratings and the catalogue, held against the real catalogue.
func TestContract(t *testing.T) {
	url := address(t, "CATALOGUE_URL")
	data, err := os.ReadFile("../contract/catalogue.json")
	if err != nil {
		t.Fatal(err)
	}
	var clauses []struct {
		What, Path string
		Status     int
		Fields     map[string]string
	}
	if err := json.Unmarshal(data, &clauses); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{"float64": "number", "string": "string", "bool": "boolean"}
	for _, clause := range clauses {
		t.Run(clause.What, func(t *testing.T) {
			status, said := call(t, "GET", url+clause.Path, "")
			if status != clause.Status {
				t.Fatalf("status %d, the contract says %d", status, clause.Status)
			}
			for name, kind := range clause.Fields {
				if got := kinds[fmt.Sprintf("%T", said[name])]; got != kind {
					t.Errorf("%s is a %q, the contract says %q", name, got, kind)
				}
			}
		})
	}
}

// The API with the real catalogue beside it.
func TestAPI(t *testing.T) {
	url := address(t, "RATINGS_URL")
	_, before := call(t, "GET", url+"/films/7", "")
	status, after := call(t, "POST", url+"/films/7", `{"stars": 5}`)
	if status != http.StatusCreated || after["count"].(float64) != before["count"].(float64)+1 {
		t.Fatalf("%d: %v after %v", status, after, before)
	}
	if status, said := call(t, "POST", url+"/films/4711", `{"stars": 5}`); status != 404 {
		t.Fatalf("%d: %v", status, said)
	}
	if status, said := call(t, "GET", url+"/top?limit=1", ""); status != 200 || said["top"] == nil {
		t.Fatalf("%d: %v", status, said)
	}
}
