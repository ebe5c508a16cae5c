package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/bytedance/sonic"
)

// benchFrames are frames of about n bytes: many small members, and one text.
func benchFrames(n int) map[string][]byte {
	const head = `["1","2","room:1","new_msg",{"items":[`
	const item = `{"id":12345,"name":"José","ok":true,"tags":["a","bc"],"score":1.25e3},`
	members := head + strings.Repeat(item, max(1, (n-len(head))/len(item))) + `null]}]`
	text := `["1","2","room:1","new_msg",{"body":"` + strings.Repeat("hello world ", max(1, (n-42)/12)) + `"}]`
	return map[string][]byte{"members": []byte(members), "text": []byte(text)}
}

// benchFramesV1 are the same messages in the format of V1.
func benchFramesV1(n int) map[string][]byte {
	frames := map[string][]byte{}
	for kind, frame := range benchFrames(n) {
		payload := bytes.TrimPrefix(bytes.TrimSuffix(frame, []byte("]")), []byte(`["1","2","room:1","new_msg",`))
		frames[kind] = fmt.Appendf(nil, `{"topic":"room:1","event":"new_msg","payload":%s,"ref":"2","join_ref":"1"}`, payload)
	}
	return frames
}

func benchSizes(b *testing.B, framesOf func(n int) map[string][]byte, run func(frame []byte) bool) {
	for _, size := range []int{100, 1 << 10, 16 << 10} {
		frames := framesOf(size)
		for _, kind := range []string{"text", "members"} {
			frame := frames[kind]
			b.Run(fmt.Sprintf("%s/%d", kind, size), func(b *testing.B) {
				b.SetBytes(int64(len(frame)))
				b.ReportAllocs()
				for b.Loop() {
					if !run(frame) {
						b.Fatal("refused")
					}
				}
			})
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	var m Message
	benchSizes(b, benchFrames, func(frame []byte) bool { return V2{}.Decode(frame, &m) == nil })
}

func BenchmarkDecodeV1(b *testing.B) {
	var m Message
	benchSizes(b, benchFramesV1, func(frame []byte) bool { return V1{}.Decode(frame, &m) == nil })
}

func BenchmarkDecodeBinary(b *testing.B) {
	text := `"` + strings.Repeat("x", 1<<10-2) + `"`
	for name, frame := range map[string]string{
		"push":           "\x00\x01\x01\x06\x07" + "1" + "2" + "room:1" + "new_msg" + text,
		"user broadcast": "\x03\x01\x01\x06\x07\x00\x01" + "1" + "2" + "room:1" + "new_msg" + text,
	} {
		b.Run(name, func(b *testing.B) { benchBinary(b, []byte(frame)) })
	}
}

func benchBinary(b *testing.B, frame []byte) {
	var m Message
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		if err := (V2{}).DecodeBinary(frame, &m); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkValidate compares ours with what it is made of and with the standard
// library. sonic alone is not enough: see the package comment.
func BenchmarkValidate(b *testing.B) {
	b.Run("wire", func(b *testing.B) { benchSizes(b, benchFrames, Valid) })
	b.Run("sonic", func(b *testing.B) { benchSizes(b, benchFrames, sonic.Valid) })
	b.Run("std", func(b *testing.B) { benchSizes(b, benchFrames, json.Valid) })
}

func BenchmarkAppendReply(b *testing.B) {
	r := Reply{JoinRef: []byte(`"1"`), Ref: []byte(`"2"`), Topic: []byte(`"room:1"`), Status: StatusOK, Response: []byte(`{"id":1}`)}
	benchAppend(b, "V2", func(dst []byte) []byte { return V2{}.AppendReply(dst, &r) })
	benchAppend(b, "V1", func(dst []byte) []byte { return V1{}.AppendReply(dst, &r) })
	benchAppend(b, "binary", func(dst []byte) []byte { return mustAppend(b)(V2{}.AppendBinaryReply(dst, &r)) })
}

func BenchmarkAppendPush(b *testing.B) {
	p := Push{Topic: []byte(`"room:1"`), Event: "new_msg", Payload: []byte(`{"body":"hello"}`)}
	benchAppend(b, "V2", func(dst []byte) []byte { return V2{}.AppendPush(dst, &p) })
	benchAppend(b, "V1", func(dst []byte) []byte { return V1{}.AppendPush(dst, &p) })
	benchAppend(b, "binary", func(dst []byte) []byte { return mustAppend(b)(V2{}.AppendBinaryPush(dst, &p)) })
	benchAppend(b, "binary broadcast", func(dst []byte) []byte { return mustAppend(b)(V2{}.AppendBinaryBroadcast(dst, &p)) })
}

func benchAppend(b *testing.B, name string, run func(dst []byte) []byte) {
	b.Run(name, func(b *testing.B) {
		dst := make([]byte, 0, 256)
		b.ReportAllocs()
		for b.Loop() {
			dst = run(dst[:0])
		}
	})
}

func mustAppend(b *testing.B) func([]byte, error) []byte {
	return func(frame []byte, err error) []byte {
		if err != nil {
			b.Fatal(err)
		}
		return frame
	}
}
