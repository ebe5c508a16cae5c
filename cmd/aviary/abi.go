package main

import (
	"io"

	"github.com/aviary-host/aviary/abi"
)

type abiCmd struct{}

// contract is what `aviary abi` prints: the numbers of abi/SPEC.md.
type contract struct {
	Version  int `json:"version"`
	Revision int `json:"revision"`

	RequestHeader  int `json:"request_header_bytes"`
	ResponseHeader int `json:"response_header_bytes"`
	Effect         int `json:"effect_bytes"`
	RequestBuffer  int `json:"request_buffer_bytes"`

	Exports    []string       `json:"exports"` // required
	Imports    []string       `json:"imports"` // of the module aviary
	Callbacks  map[string]int `json:"callbacks"`
	Results    map[string]int `json:"results"`
	Effects    map[string]int `json:"effects"`
	InfoKinds  map[string]int `json:"info_kinds"`
	Reasons    map[string]int `json:"reasons"`
	Transports map[string]int `json:"transports"`
	Levels     map[string]int `json:"levels"`
	Limits     map[string]int `json:"limits"` // by default
}

// Run prints the numbers of the contract as JSON.
func (abiCmd) Run(out io.Writer) error {
	limits := abi.DefaultLimits()
	return printJSON(out, contract{
		Version: abi.Version, Revision: abi.Revision,
		RequestHeader: abi.RequestHeaderSize, ResponseHeader: abi.ResponseHeaderSize, Effect: abi.EffectSize, RequestBuffer: abi.RequestBuffer,
		Exports:   []string{abi.ExportMemory, abi.ExportMarker, abi.ExportAlloc, abi.CallbackJoin.String()},
		Imports:   []string{abi.ImportLog, abi.ImportPresenceList, abi.ImportConfig, abi.ImportPanic},
		Callbacks: numbers(abi.CallbackConnect, abi.CallbackCodeChange), Results: numbers(abi.ResultNoReply, abi.ResultPass),
		Effects:    numbers(abi.EffectReply, abi.EffectIntercept),
		Reasons:    numbers(abi.ReasonNormal, abi.ReasonDisconnected),
		Transports: numbers(abi.TransportWebSocket, abi.TransportLongPoll),
		InfoKinds:  map[string]int{"message": int(abi.InfoMessage), "timer": int(abi.InfoTimer), "broadcast": int(abi.InfoBroadcast)},
		Levels:     map[string]int{"debug": int(abi.LevelDebug), "info": int(abi.LevelInfo), "warn": int(abi.LevelWarn), "error": int(abi.LevelError)},
		Limits: map[string]int{
			"response": limits.Response, "state": limits.State, "effects": limits.Effects, "output": limits.Output,
		},
	})
}

// number is a number of the contract that has a name.
type number interface {
	~uint8 | ~uint16 | ~uint32
	String() string
}

// numbers returns those from first to last, by name.
func numbers[N number](first, last N) map[string]int {
	all := map[string]int{}
	for n := first; n <= last; n++ {
		all[n.String()] = int(n)
	}
	return all
}
