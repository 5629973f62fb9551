// Ratings: what people think of films. Four endpoints, a journal on disk, no dependencies.
package main

import (
	"context"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func main() {
	book, err := OpenBook(setting("JOURNAL", "/tmp/ratings.journal"))
	if err != nil {
		log.Fatal(err)
	}
	defer book.Close()
	films := &Catalogue{URL: setting("CATALOGUE_URL", "http://catalogue:8000")}
	server := &http.Server{
		Addr:              ":" + setting("PORT", "8001"),
		Handler:           Handler(book, films),
		ReadHeaderTimeout: 5 * time.Second,
	}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()
	go func() {
		<-stop.Done()
		_ = server.Shutdown(context.Background())
	}()
	log.Printf("ratings listen at %s", server.Addr)
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
}
