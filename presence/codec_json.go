package presence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// AppendJSON appends the delta as JSON, for people and tools to read, and returns
// the extended slice. Equal deltas have equal bytes.
//
//	{"kind":"changes",
//	 "replicas":[{"name":"a","incarnation":"7","from":0,"to":2,"cloud":[[4,6]],"removed":[3],
//	  "items":[{"clock":2,"topic":"t","key":"ann","ref":"GLmfa3d6yQABZ4sT","prev":"","meta":{}}]}],
//	 "retired":[{"name":"b","below":"3","age":1}]}
//
// without white space. Incarnations are strings, as JavaScript would round them.
func (d *Delta) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"kind":"`...)
	dst = append(dst, d.kind()...)
	dst = append(dst, `","replicas":[`...)
	for i := range d.sections {
		dst = comma(dst, i)
		dst = d.sections[i].appendJSON(dst)
	}
	dst = append(dst, `],"retired":[`...)
	for i, f := range d.floors {
		dst = comma(dst, i)
		dst = append(dst, `{"name":`...)
		dst = appendQuoted(dst, f.name)
		dst = append(dst, `,"below":"`...)
		dst = strconv.AppendUint(dst, f.below, 10)
		dst = append(dst, `","age":`...)
		dst = strconv.AppendUint(dst, f.age, 10)
		dst = append(dst, '}')
	}
	return append(dst, `]}`...)
}

// kind returns the word for what a delta is.
func (d *Delta) kind() string {
	if d.clocks {
		return "clocks"
	}
	return "changes"
}

func (sec *section) appendJSON(dst []byte) []byte {
	dst = append(dst, `{"name":`...)
	dst = appendQuoted(dst, sec.replica.Name)
	dst = append(dst, `,"incarnation":"`...)
	dst = strconv.AppendUint(dst, sec.replica.Incarnation, 10)
	dst = append(dst, `","from":`...)
	dst = strconv.AppendUint(dst, sec.from, 10)
	dst = append(dst, `,"to":`...)
	dst = strconv.AppendUint(dst, sec.to, 10)
	dst = append(dst, `,"cloud":[`...)
	for i, sp := range sec.cloud {
		dst = append(comma(dst, i), '[')
		dst = strconv.AppendUint(dst, sp.first, 10)
		dst = append(dst, ',')
		dst = strconv.AppendUint(dst, sp.last, 10)
		dst = append(dst, ']')
	}
	dst = append(dst, `],"removed":[`...)
	for i, clock := range sec.removed {
		dst = strconv.AppendUint(comma(dst, i), clock, 10)
	}
	dst = append(dst, `],"items":[`...)
	for i, t := range sec.items {
		dst = t.appendJSON(comma(dst, i))
	}
	return append(dst, `]}`...)
}

func (t *taggedItem) appendJSON(dst []byte) []byte {
	dst = append(dst, `{"clock":`...)
	dst = strconv.AppendUint(dst, t.clock, 10)
	dst = append(dst, `,"topic":`...)
	dst = appendQuoted(dst, t.item.Topic)
	dst = append(dst, `,"key":`...)
	dst = appendQuoted(dst, t.item.Key)
	dst = append(dst, `,"ref":"`...)
	dst = append(dst, t.item.Ref...)
	dst = append(dst, `","prev":"`...)
	dst = append(dst, t.item.PrevRef...)
	dst = append(dst, `","meta":`...)
	dst = append(dst, t.item.Meta...)
	return append(dst, '}')
}

// comma appends the comma before all but the first of a list.
func comma(dst []byte, i int) []byte {
	if i > 0 {
		return append(dst, ',')
	}
	return dst
}

// deltaJSON is what encoding/json reads; what it is too kind to tell, the
// comparison with what AppendJSON would have written does.
type deltaJSON struct {
	Kind     string        `json:"kind"`
	Replicas []sectionJSON `json:"replicas"`
	Retired  []struct {
		Name  string `json:"name"`
		Below uint64 `json:"below,string"`
		Age   uint64 `json:"age"`
	} `json:"retired"`
}

type sectionJSON struct {
	Name        string      `json:"name"`
	Incarnation uint64      `json:"incarnation,string"`
	From        uint64      `json:"from"`
	To          uint64      `json:"to"`
	Cloud       [][2]uint64 `json:"cloud"`
	Removed     []uint64    `json:"removed"`
	Items       []struct {
		Clock uint64          `json:"clock"`
		Topic string          `json:"topic"`
		Key   string          `json:"key"`
		Ref   string          `json:"ref"`
		Prev  string          `json:"prev"`
		Meta  json.RawMessage `json:"meta"`
	} `json:"items"`
}

// DecodeJSON reads what [Delta.AppendJSON] writes, byte for byte. It keeps nothing
// of b. It fails with [ErrEncoding], [ErrItem] or [ErrIncarnation].
func DecodeJSON(b []byte) (*Delta, error) {
	var in deltaJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEncoding, err)
	}
	d := &Delta{clocks: in.Kind == "clocks"}
	for i := range in.Replicas {
		d.sections = append(d.sections, in.Replicas[i].section())
	}
	for _, f := range in.Retired {
		d.floors = append(d.floors, floor{f.Name, f.Below, f.Age})
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	if !bytes.Equal(d.AppendJSON(make([]byte, 0, len(b))), b) {
		return nil, fmt.Errorf("%w: a member is missing, unknown or out of order, or the text is not compact", ErrEncoding)
	}
	return d, nil
}

func (in *sectionJSON) section() section {
	sec := section{replica: Replica{in.Name, in.Incarnation}, from: in.From, to: in.To, removed: in.Removed}
	for _, sp := range in.Cloud {
		sec.cloud = append(sec.cloud, span{sp[0], sp[1]})
	}
	for i := range in.Items {
		t := &in.Items[i]
		it := &Item{Topic: t.Topic, Entry: Entry{Key: t.Key, Ref: t.Ref, PrevRef: t.Prev, Meta: t.Meta}}
		sec.items = append(sec.items, taggedItem{t.Clock, it})
	}
	return sec
}
