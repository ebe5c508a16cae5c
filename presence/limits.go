package presence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// What peers take, and so what a state holds.
const (
	maxReplicaName = 255       // bytes
	maxTopic       = 1 << 10   // bytes, of a topic and of a key
	maxRef         = 64        // bytes
	maxMeta        = 1 << 20   // bytes
	maxClock       = 1<<53 - 1 // as JavaScript can tell; 285 years at a million changes a second
	maxIncarnation = 1<<63 - 2 // so that the floor above it is an int64, as nanoseconds since 1970 are
)

// MaxMetaDepth is how many objects and arrays of a meta may be within each other: as
// many as in any text that a client or a module may send.
const MaxMetaDepth = 1024

// bounds is what a state holds at most beside items.
type bounds struct {
	spans   int // of a replica, beyond a gap
	gone    int // clocks of a replica that are gone and not covered
	retired int // names that have no replica
}

// What is beyond the bounds of a replica is taken for lost: those are reached where as
// many deltas were lost and none was made up for.
const (
	maxSpans   = 1024
	maxGone    = 4096
	maxRetired = 4096
)

func checkReplica(r Replica) error {
	if err := checkName(r.Name); err != nil {
		return err
	}
	if r.Incarnation > maxIncarnation {
		return fmt.Errorf("%w: %d of %.40q is over %d", ErrIncarnation, r.Incarnation, r.Name, uint64(maxIncarnation))
	}
	return nil
}

func checkName(name string) error {
	if name == "" || len(name) > maxReplicaName || !utf8.ValidString(name) {
		return fmt.Errorf("%w: replica %.40q is not UTF-8 of 1 to %d bytes", ErrItem, name, maxReplicaName)
	}
	return nil
}

// checkItem refuses what peers would. The refs are pasted into JSON as they are, and
// so is the meta.
func checkItem(it *Item) error {
	switch {
	case len(it.Topic) > maxTopic || !utf8.ValidString(it.Topic):
		return fmt.Errorf("%w: topic %.40q is not UTF-8 of up to %d bytes", ErrItem, it.Topic, maxTopic)
	case len(it.Key) > maxTopic || !utf8.ValidString(it.Key):
		return fmt.Errorf("%w: key %.40q is not UTF-8 of up to %d bytes", ErrItem, it.Key, maxTopic)
	case it.Ref == "" || !isRef(it.Ref) || !isRef(it.PrevRef):
		return fmt.Errorf("%w: refs %.70q and %.70q are not URL-safe Base64 of up to %d bytes", ErrItem, it.Ref, it.PrevRef, maxRef)
	case len(it.Meta) > maxMeta:
		return fmt.Errorf("%w: meta of %d bytes is longer than %d", ErrItem, len(it.Meta), maxMeta)
	}
	return checkMeta(it.Meta)
}

func checkMeta(meta []byte) error {
	if depth := nesting(meta); depth > MaxMetaDepth {
		return fmt.Errorf("%w: meta of depth %d is deeper than %d", ErrItem, depth, MaxMetaDepth)
	}
	clean, err := cleanMeta(meta)
	if err != nil || !bytes.Equal(clean, meta) || !json.Valid(meta) || !utf8.Valid(meta) {
		return fmt.Errorf("%w: meta %.40q is not a compact JSON object without the server's keys", ErrItem, meta)
	}
	return nil
}

func isRef(ref string) bool {
	for _, c := range []byte(ref) {
		if ('a' > c || c > 'z') && ('A' > c || c > 'Z') && ('0' > c || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return len(ref) <= maxRef
}

// nesting returns how many objects and arrays of a JSON text are within each other
// at most.
func nesting(text []byte) int {
	depth, most := 0, 0
	for sc := (scanner{b: text}); sc.i < len(text); {
		switch text[sc.i] {
		case '"':
			if !sc.str() {
				return most
			}
			continue
		case '{', '[':
			depth++
			most = max(most, depth)
		case '}', ']':
			depth--
		}
		sc.i++
	}
	return most
}
