// Command stdlib is a guest that leans on Go's standard library: encoding/json,
// fmt, log, os, time and crypto/rand.
package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"
	"unsafe"

	"github.com/aviary-host/aviary/abi"
)

func main() {}

func init() { fmt.Println("init was here") }

var request, response []byte

//go:wasmexport aviary_abi_v1
func marker() uint64 { return uint64(abi.NewMarker(0, abi.CallbackHandleOut)) }

//go:wasmexport aviary_alloc
func alloc(size uint32) uint32 {
	request = make([]byte, size)
	return uint32(uintptr(unsafe.Pointer(&request[0])))
}

//go:wasmexport join
func join(_, n uint32) uint64 { return run(n) }

//go:wasmexport handle_in
func handleIn(_, n uint32) uint64 { return run(n) }

//go:wasmexport handle_out
func handleOut(_, n uint32) uint64 { return run(n) }

type message struct {
	Do   string   `json:"do"`
	N    int      `json:"n"`
	Tags []string `json:"tags"`
}

func run(n uint32) uint64 {
	var req abi.Request
	if err := abi.DecodeRequest(request[:n], &req); err != nil {
		panic(err)
	}
	var m message
	if err := json.Unmarshal(req.Payload, &m); err != nil {
		panic(fmt.Errorf("payload: %w", err))
	}
	m.do()
	if m.Do == "config" {
		m.Tags = append(m.Tags, string(req.Config))
	}
	m.N++
	payload, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	response = abi.AppendResponse(response[:0], &abi.Response{Result: abi.ResultReply, Payload: payload})
	return uint64(uintptr(unsafe.Pointer(&response[0])))<<32 | uint64(len(response))
}

func (m *message) do() {
	switch m.Do {
	case "panic":
		panic(fmt.Sprintf("told to, %d times", m.N))
	case "exit":
		os.Exit(m.N)
	case "print":
		fmt.Println("to stdout")
		log.Println("to stderr")
	case "look":
		m.look()
	}
}

// look tries what a sandbox must not have, and the clocks and random numbers
// that it must.
func (m *message) look() {
	_, err := os.Stdin.Read(make([]byte, 1))
	m.Tags = append(m.Tags, fmt.Sprint(len(os.Args), len(os.Environ()), err))
	before := time.Now()
	time.Sleep(3 * time.Millisecond)
	m.Tags = append(m.Tags, fmt.Sprint(time.Since(before) >= 3*time.Millisecond, before.Year() >= 2024, before.Nanosecond()%1e6))
	m.Tags = append(m.Tags, rand.Text())
}
