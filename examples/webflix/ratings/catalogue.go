package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Film is as much of a film as ratings need to know. What they expect of the catalogue stands in
// contract/catalogue.json and is held against the real one in every build.
type Film struct {
	ID    int    `json:"id"`
	Title string `json:"title"`
	Year  int    `json:"year"`
}

// Catalogue asks the catalogue over HTTP.
type Catalogue struct {
	URL string
}

var client = &http.Client{Timeout: 5 * time.Second}

// Find returns a film, or nil when the catalogue has none of that number.
func (c *Catalogue) Find(number int) (*Film, error) {
	reply, err := client.Get(fmt.Sprintf("%s/films/%d", c.URL, number))
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	switch reply.StatusCode {
	case http.StatusOK:
		film := &Film{}
		return film, json.NewDecoder(reply.Body).Decode(film)
	case http.StatusNotFound:
		return nil, nil
	default:
		return nil, fmt.Errorf("the catalogue said %s", reply.Status)
	}
}
