package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"time"
)

// servePprof serves profiles on a loopback address, for as long as the process
// lives; an empty one serves none. Profiles show memory, so no other address
// is taken.
func servePprof(addr string) error {
	if addr == "" {
		return nil
	}
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil || tcp.IP == nil || !tcp.IP.IsLoopback() {
		return &usageError{fmt.Sprintf("BENCH_PPROF %q is not a loopback address such as 127.0.0.1:6060", addr)}
	}
	ln, err := net.ListenTCP("tcp", tcp)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}
	go func() {
		fmt.Fprintln(os.Stderr, "bench-server: pprof ended:", srv.Serve(ln))
	}()
	fmt.Fprintf(os.Stderr, "bench-server: profiles on http://%s/debug/pprof/\n", ln.Addr())
	return nil
}
