package main

import (
	"os"
	"path/filepath"
	"testing"
)

func open(t *testing.T, path string) *Book {
	t.Helper()
	book, err := OpenBook(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { book.Close() })
	return book
}

func add(t *testing.T, book *Book, film int, stars ...int) {
	t.Helper()
	for _, each := range stars {
		if _, err := book.Add(film, each); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAverageOfTwo(t *testing.T) {
	book := open(t, filepath.Join(t.TempDir(), "journal"))
	add(t, book, 7, 4, 5)
	if got := book.Rating(7); got != (Rating{7, 4.5, 2}) {
		t.Fatalf("got %v", got)
	}
}

func TestNobodyRatedIt(t *testing.T) {
	book := open(t, filepath.Join(t.TempDir(), "journal"))
	if got := book.Rating(1); got != (Rating{Film: 1}) {
		t.Fatalf("got %v", got)
	}
}

func TestStarsOutOfRange(t *testing.T) {
	book := open(t, filepath.Join(t.TempDir(), "journal"))
	for _, stars := range []int{0, 6, -1} {
		if _, err := book.Add(1, stars); err == nil {
			t.Fatalf("%d stars were taken", stars)
		}
	}
}

func TestTheBestComeFirst(t *testing.T) {
	book := open(t, filepath.Join(t.TempDir(), "journal"))
	add(t, book, 1, 3)
	add(t, book, 2, 5)
	add(t, book, 3, 5, 5)
	add(t, book, 4, 1)
	top := book.Top(3)
	if len(top) != 3 || top[0].Film != 3 || top[1].Film != 2 || top[2].Film != 1 {
		t.Fatalf("got %v", top)
	}
}

func TestRatingsOutliveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	add(t, open(t, path), 7, 2, 4)
	if got := open(t, path).Rating(7); got != (Rating{7, 3, 2}) {
		t.Fatalf("got %v", got)
	}
}

func TestALineThatACrashCutShortDoesNotCount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	if err := os.WriteFile(path, []byte("7 5.\n7 1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := open(t, path).Rating(7); got != (Rating{7, 5, 1}) {
		t.Fatalf("got %v", got)
	}
}

func TestAJournalThatCannotBeWritten(t *testing.T) {
	if _, err := OpenBook(filepath.Join(t.TempDir(), "missing", "journal")); err == nil {
		t.Fatal("no error")
	}
}
