package traps

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins"
)

// ErrRecord is wrapped by every refusal of a file as a record.
var ErrRecord = errors.New("not a trap record")

// Format is the version of the records written here, the only one that is read.
const Format = 1

const (
	// MaxRequest is the most of a request that a record keeps, in bytes.
	MaxRequest = 1 << 20
	// MaxSize is the largest record that is read, in bytes.
	MaxSize = 4 << 20
)

// Why a record cannot be run again.
const (
	leftOut = "payload, state, params, headers and config are left out (plugin.trap_payloads)"
	cutOff  = "the request is cut off after 1 MiB"
)

// Record is a failed callback as a file has it. Texts are the guest's own.
type Record struct {
	Format     int       `json:"format"`
	Time       time.Time `json:"time"`
	Plugin     string    `json:"plugin"`
	Module     string    `json:"module"` // SHA-256
	Generation int       `json:"generation"`
	Callback   string    `json:"callback"`
	Kind       string    `json:"kind"`
	Message    string    `json:"message"`
	Stack      string    `json:"stack"`
	Stderr     string    `json:"stderr"`
	Seed       string    `json:"seed"` // in hexadecimal digits
	Limits     Limits    `json:"limits"`
	Sizes      Sizes     `json:"sizes"`
	Skipped    int       `json:"skipped"` // failures of the plugin since the last record that have none

	Replayable bool   `json:"replayable"`
	Why        string `json:"why"`     // it is not, if it is not
	Request    []byte `json:"request"` // encoded as SPEC.md section 3 says, then in base64
}

// Limits are those of the callback.
type Limits struct {
	Fuel       uint64 `json:"fuel"`
	FuelSlice  uint64 `json:"fuel_slice"`
	DeadlineNS int64  `json:"deadline_ns"`
	Stack      uint32 `json:"stack"`    // bytes
	Memory     uint64 `json:"memory"`   // bytes
	Response   int    `json:"response"` // bytes
	State      int    `json:"state"`    // bytes
	Effects    int    `json:"effects"`
	Output     int    `json:"output"` // bytes
}

// Sizes are those of the request and of the parts of it that may be left out, in
// bytes.
type Sizes struct {
	Request int `json:"request"`
	Payload int `json:"payload"`
	State   int `json:"state"`
	Params  int `json:"params"`
	Headers int `json:"headers"`
	Config  int `json:"config"`
}

// newRecord makes the record of a trap, with what users have sent if payloads says so.
func newRecord(t *plugins.Trap, payloads bool) (*Record, error) {
	var req abi.Request
	if err := abi.DecodeRequest(t.Request, &req); err != nil {
		return nil, fmt.Errorf("%w: its request: %w", ErrRecord, err)
	}
	l := &t.Limits
	r := &Record{
		Format: Format, Time: t.Time.UTC().Round(0), Plugin: t.Plugin, Module: t.Module, Generation: t.Generation,
		Callback: t.Callback.String(), Kind: t.Kind.String(), Message: t.Message, Stack: t.Stack, Stderr: t.Stderr,
		Seed: hex.EncodeToString(t.Seed[:]),
		Limits: Limits{
			Fuel: l.Fuel, FuelSlice: l.FuelSlice, DeadlineNS: int64(l.Deadline), Stack: l.Stack, Memory: l.Memory,
			Response: l.Response.Response, State: l.Response.State, Effects: l.Response.Effects, Output: l.Response.Output,
		},
		Sizes: Sizes{
			Request: len(t.Request), Payload: len(req.Payload), State: len(req.State),
			Params: len(req.Params), Headers: len(req.Headers), Config: len(req.Config),
		},
		Replayable: true, Request: t.Request,
	}
	if !payloads {
		r.Replayable, r.Why = false, leftOut
		req.Payload, req.State, req.Params, req.Headers, req.Config = nil, nil, nil, nil, nil
		r.Request = abi.AppendRequest(nil, &req)
	}
	if len(r.Request) > MaxRequest {
		r.Replayable, r.Why = false, cutOff
		r.Request = r.Request[:MaxRequest]
	}
	return r, nil
}

// encode returns the file of a record.
func (r *Record) encode() ([]byte, error) {
	text, err := json.MarshalIndent(r, "", "\t")
	return append(text, '\n'), err
}

// Decode reads a record, strictly: no unknown keys, and nothing that cannot be. The
// error wraps ErrRecord.
func Decode(file []byte) (*Record, error) {
	r := &Record{}
	if len(file) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrRecord, len(file), MaxSize)
	}
	dec := json.NewDecoder(bytes.NewReader(file))
	dec.DisallowUnknownFields()
	if err := dec.Decode(r); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the object", ErrRecord)
	}
	if problem := r.problem(); problem != "" {
		return nil, fmt.Errorf("%w: %s", ErrRecord, problem)
	}
	return r, nil
}

// problem tells what is wrong with a record, "" if nothing is.
func (r *Record) problem() string {
	switch {
	case r.Format != Format:
		return fmt.Sprintf("format %d, this is version %d", r.Format, Format)
	case r.Plugin == "":
		return "plugin is missing"
	case !isHex(r.Module, 32):
		return fmt.Sprintf("module %q is not a SHA-256 in hexadecimal digits", r.Module)
	case !isHex(r.Seed, 16):
		return fmt.Sprintf("seed %q is not 16 bytes in hexadecimal digits", r.Seed)
	case !isCallback(r.Callback):
		return fmt.Sprintf("callback %q is unknown", r.Callback)
	case !isKind(r.Kind):
		return fmt.Sprintf("kind %q is unknown", r.Kind)
	case r.Generation < 0 || r.Skipped < 0 || r.Sizes.negative() || r.Limits.negative():
		return "a number is negative"
	case len(r.Request) > MaxRequest:
		return fmt.Sprintf("a request of %d bytes, at most %d", len(r.Request), MaxRequest)
	case !r.Replayable && r.Why == "":
		return "it is not replayable, and does not say why"
	case r.Replayable:
		return r.replayProblem()
	}
	return ""
}

// replayProblem tells what speaks against running the request again.
func (r *Record) replayProblem() string {
	var req abi.Request
	if err := abi.DecodeRequest(r.Request, &req); err != nil {
		return "request: " + err.Error()
	}
	switch {
	case r.Why != "":
		return "it is replayable, and says why it is not"
	case len(r.Request) != r.Sizes.Request:
		return fmt.Sprintf("a request of %d bytes, and its size is %d", len(r.Request), r.Sizes.Request)
	case req.Callback.String() != r.Callback:
		return fmt.Sprintf("a request for %s, and the callback is %s", req.Callback, r.Callback)
	case hex.EncodeToString(req.Seed[:]) != r.Seed:
		return "the seed is not the request's"
	}
	return ""
}

func (s *Sizes) negative() bool {
	return min(s.Request, s.Payload, s.State, s.Params, s.Headers, s.Config) < 0
}

func (l *Limits) negative() bool {
	return l.DeadlineNS < 0 || min(l.Response, l.State, l.Effects, l.Output) < 0
}

func isHex(s string, bytes int) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == bytes && hex.EncodeToString(b) == s
}

func isCallback(name string) bool {
	for c := range abi.NumCallbacks {
		if c > 0 && abi.Callback(c).String() == name {
			return true
		}
	}
	return false
}

func isKind(name string) bool {
	for _, k := range plugins.Kinds() {
		if k.String() == name {
			return true
		}
	}
	return false
}
