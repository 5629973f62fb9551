package main

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// Finder knows which films there are.
type Finder interface {
	Find(number int) (*Film, error)
}

// Handler serves
//
//	GET  /films/7          what people think of a film
//	POST /films/7          {"stars": 4}
//	GET  /top?limit=3      the best films
//	GET  /healthz
func Handler(book *Book, films Finder) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("/top", func(w http.ResponseWriter, r *http.Request) {
		limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
		if err != nil || limit < 1 || limit > 100 {
			limit = 3
		}
		reply(w, http.StatusOK, map[string]any{"top": book.Top(limit)})
	})
	mux.HandleFunc("/films/", func(w http.ResponseWriter, r *http.Request) {
		number, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/films/"))
		switch {
		case err != nil || number < 1:
			refuse(w, http.StatusNotFound, "that is no film's number")
		case r.Method == http.MethodPost:
			rate(w, r, book, films, number)
		default:
			reply(w, http.StatusOK, book.Rating(number))
		}
	})
	return mux
}

func rate(w http.ResponseWriter, r *http.Request, book *Book, films Finder, number int) {
	var sent struct {
		Stars int `json:"stars"`
	}
	if json.NewDecoder(http.MaxBytesReader(w, r.Body, 1024)).Decode(&sent) != nil {
		refuse(w, http.StatusBadRequest, `send {"stars": 1 to 5}`)
		return
	}
	film, err := films.Find(number)
	if err != nil {
		refuse(w, http.StatusBadGateway, "the catalogue does not answer: "+err.Error())
		return
	}
	if film == nil {
		refuse(w, http.StatusNotFound, "the catalogue has no such film")
		return
	}
	rating, err := book.Add(number, sent.Stars)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	reply(w, http.StatusCreated, rating)
}

func refuse(w http.ResponseWriter, status int, why string) {
	reply(w, status, map[string]string{"error": why})
}

func reply(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}
