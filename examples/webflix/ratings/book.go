package main

import (
	"bufio"
	"fmt"
	"os"
	"sort"
	"sync"
)

// Rating is what people think of one film together.
type Rating struct {
	Film    int     `json:"film"`
	Average float64 `json:"average"`
	Count   int     `json:"count"`
}

type tally struct{ sum, count int }

// Book keeps ratings: sums in memory, every single one in a journal that is read again at the start.
type Book struct {
	mutex   sync.RWMutex
	films   map[int]tally
	journal *os.File
}

// OpenBook reads the journal at path, if there is one, and goes on writing to it.
func OpenBook(path string) (*Book, error) {
	journal, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	book := &Book{films: map[int]tally{}, journal: journal}
	lines := bufio.NewScanner(journal)
	for lines.Scan() {
		var film, stars int
		// a line that a crash cut short is no rating
		if n, err := fmt.Sscanf(lines.Text(), "%d %d.", &film, &stars); n == 2 && err == nil {
			book.count(film, stars)
		}
	}
	return book, lines.Err()
}

// Close ends the journal.
func (b *Book) Close() error { return b.journal.Close() }

func (b *Book) count(film, stars int) {
	t := b.films[film]
	b.films[film] = tally{t.sum + stars, t.count + 1}
}

// Add notes stars for a film and returns what people think of it now.
func (b *Book) Add(film, stars int) (Rating, error) {
	if stars < 1 || stars > 5 {
		return Rating{}, fmt.Errorf("stars are from 1 to 5, not %d", stars)
	}
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if _, err := fmt.Fprintf(b.journal, "%d %d.\n", film, stars); err != nil {
		return Rating{}, err
	}
	b.count(film, stars)
	return b.rating(film), nil
}

// Rating of a film; a film that nobody rated has a count of 0.
func (b *Book) Rating(film int) Rating {
	b.mutex.RLock()
	defer b.mutex.RUnlock()
	return b.rating(film)
}

func (b *Book) rating(film int) Rating {
	t := b.films[film]
	if t.count == 0 {
		return Rating{Film: film}
	}
	return Rating{film, float64(t.sum) / float64(t.count), t.count}
}

// Top films, the best first; of equals the one that more people rated.
func (b *Book) Top(limit int) []Rating {
	b.mutex.RLock()
	defer b.mutex.RUnlock()
	all := make([]Rating, 0, len(b.films))
	for film := range b.films {
		all = append(all, b.rating(film))
	}
	sort.Slice(all, func(i, j int) bool {
		x, y := all[i], all[j]
		if x.Average != y.Average {
			return x.Average > y.Average
		}
		if x.Count != y.Count {
			return x.Count > y.Count
		}
		return x.Film < y.Film
	})
	if len(all) > limit {
		all = all[:limit]
	}
	return all
}
