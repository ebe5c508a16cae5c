package main

import (
	"context"
	"fmt"
	"net/http"
)

// server is what the control port needs of the host.
type server interface {
	Broadcast(topic, event string, payload []byte) error
	KillTopic(topic string) int
	Drain(ctx context.Context) error
}

// control answers the control requests: 204 when done, 400 with words when the
// server would not.
func control(srv server) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ctl/bcast", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		answer(w, srv.Broadcast(q.Get("topic"), q.Get("event"), []byte(q.Get("payload"))))
	})
	mux.HandleFunc("GET /ctl/kill", func(w http.ResponseWriter, r *http.Request) {
		topic := r.URL.Query().Get("topic")
		if srv.KillTopic(topic) == 0 {
			answer(w, fmt.Errorf("no channel on topic %q", topic))
			return
		}
		answer(w, nil)
	})
	mux.HandleFunc("GET /ctl/drain", func(w http.ResponseWriter, r *http.Request) {
		answer(w, srv.Drain(r.Context()))
	})
	return mux
}

func answer(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
