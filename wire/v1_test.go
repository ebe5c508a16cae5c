package wire

import (
	"errors"
	"strings"
	"testing"
)

func decodeV1Cases() []decodeCase {
	return []decodeCase{
		{
			"the usual message", `{"topic":"room:1","event":"new_msg","payload":{"body":"hi"},"ref":"2"}`,
			`jr=nil ref="2" topic=room:1 json="room:1" event=new_msg payload={"body":"hi"}`,
		},
		{
			"message of Phoenix case 51", `{"event":"e","payload":"m","ref":null,"topic":"t"}`,
			`jr=nil ref=nil topic=t json="t" event=e payload="m"`,
		},
		{
			"join_ref is read", `{"join_ref":"1","ref":"2","payload":{},"event":"e","topic":"t"}`,
			`jr="1" ref="2" topic=t json="t" event=e payload={}`,
		},
		{
			"join_ref null", `{"topic":"t","event":"e","payload":{},"ref":"2","join_ref":null}`,
			`jr=nil ref="2" topic=t json="t" event=e payload={}`,
		},
		{
			"refs of any type", `{"topic":"t","event":"e","payload":{},"ref":1.50e2,"join_ref":{"a":[1]}}`,
			`jr={"a":[1]} ref=1.50e2 topic=t json="t" event=e payload={}`,
		},
		{
			"topic, event and payload of any type", `{"topic":{"t":1},"event":[1,"x"],"payload":null,"ref":"2"}`,
			`jr=nil ref="2" topic=none json={"t":1} event=raw:[1,"x"] payload=null`,
		},
		{
			"unknown keys are ignored", `{"":0,"a":{"topic":"no"},"topic":"t","event":"e","Ref":"no","payload":{},"ref":"2","z":[{"ref":"}"}]}`,
			`jr=nil ref="2" topic=t json="t" event=e payload={}`,
		},
		{
			"the first of equal keys counts",
			`{"topic":"t","topic":"no","event":"e","payload":null,"payload":{"no":1},"ref":null,"ref":"no","join_ref":null,"join_ref":"no","event":1}`,
			`jr=nil ref=nil topic=t json="t" event=e payload=null`,
		},
		{
			"keys spelled with escapes", `{"\u0074opic":"t","\u0065\u0076\u0065\u006E\u0074":"e","pay\u006coad":{},"re\u0066":"2"}`,
			`jr=nil ref="2" topic=t json="t" event=e payload={}`,
		},
		{
			"the longest spelling of a key",
			`{"\u006a\u006f\u0069\u006e\u005f\u0072\u0065\u0066":"1","topic":"t","event":"e","payload":{},"ref":"2"}`,
			`jr="1" ref="2" topic=t json="t" event=e payload={}`,
		},
		{
			"an escaped key equals a plain one", `{"ref":"2","r\u0065f":"no","topic":"t","event":"e","payload":{}}`,
			`jr=nil ref="2" topic=t json="t" event=e payload={}`,
		},
		{
			"keys that only begin alike", `{"ref\u0000":1,"r\\u0065f":2,"ref ":3,"\ud83dref":4,"topic":"t","event":"e","payload":{},"ref":"2","` +
				strings.Repeat(`\u0072`, 9) + `":5}`,
			`jr=nil ref="2" topic=t json="t" event=e payload={}`,
		},
		{
			"space everywhere", " { \"topic\" : \"t\"\t,\r\n\"event\" :\"e\" , \"payload\": { \"m\" : 1 } ,\"ref\" : -1.5E+3 } \n",
			`jr=nil ref=-1.5E+3 topic=t json="t" event=e payload={ "m" : 1 }`,
		},
		{
			"payload of brackets in strings", `{"topic":"t","event":"e","payload":{"a":"}]\"}","b":["{["]},"ref":"2"}`,
			`jr=nil ref="2" topic=t json="t" event=e payload={"a":"}]\"}","b":["{["]}`,
		},
		{
			"topic and event escaped", `{"topic":"r\u006f\/m","event":"caf\u00e9\n","payload":{},"ref":"\u0031"}`,
			"jr=nil ref=\"\\u0031\" topic=ro/m json=\"r\\u006f\\/m\" event=café\n payload={}",
		},
	}
}

func TestV1Decode(t *testing.T) {
	for _, c := range decodeV1Cases() {
		t.Run(c.name, func(t *testing.T) {
			m := Message{JoinRef: []byte("left over"), Topic: []byte("left over"), TopicIsString: true}
			if err := (V1{}).Decode([]byte(c.frame), &m); err != nil {
				t.Fatal(err)
			}
			if got := dump(&m); got != c.want {
				t.Errorf("frame %s\n got %s\nwant %s", c.frame, got, c.want)
			}
		})
	}
}

func refuseV1Cases() []refuseCase {
	nest := func(n int) string {
		return `{"topic":"t","event":"e","ref":"2","payload":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
	}
	return []refuseCase{
		{"empty", "", ReasonNotJSON},
		{"text", "hello", ReasonNotJSON},
		{"cut off", `{"topic":"t","event":"e","payload":{},"ref":"2"`, ReasonNotJSON},
		{"trailing bytes", `{"topic":"t","event":"e","payload":{},"ref":"2"}x`, ReasonNotJSON},
		{"trailing comma", `{"topic":"t","event":"e","payload":{},"ref":"2",}`, ReasonNotJSON},
		{"no colon", `{"topic" "t","event":"e","payload":{},"ref":"2"}`, ReasonNotJSON},
		{"key without quotes", `{topic:"t","event":"e","payload":{},"ref":"2"}`, ReasonNotJSON},
		{"unknown escape in a key", `{"\x":1,"topic":"t","event":"e","payload":{},"ref":"2"}`, ReasonNotJSON},
		{"newline in an unknown member", "{\"topic\":\"t\",\"event\":\"e\",\"payload\":{},\"ref\":\"2\",\"z\":\"a\nb\"}", ReasonNotJSON},
		{"control character in topic", "{\"topic\":\"t\x01\",\"event\":\"e\",\"payload\":{},\"ref\":\"2\"}", ReasonNotJSON},
		{"unknown escape in another type", `["\x"]`, ReasonNotJSON},
		{"not UTF-8 in a key", "{\"\xff\":1,\"topic\":\"t\",\"event\":\"e\",\"payload\":{},\"ref\":\"2\"}", ReasonNotUTF8},
		{"a V2 frame, Phoenix case 53", `["1","2","t","e",{}]`, ReasonNotObject},
		{"a string", `"phx_join"`, ReasonNotObject},
		{"null", `null`, ReasonNotObject},
		{"no members", `{}`, ReasonMissingKey},
		{"no topic", `{"event":"e","payload":{},"ref":"2","join_ref":"1"}`, ReasonMissingKey},
		{"no event", `{"topic":"t","payload":{},"ref":"2","join_ref":"1"}`, ReasonMissingKey},
		{"no payload", `{"topic":"t","event":"e","ref":"2","join_ref":"1"}`, ReasonMissingKey},
		{"no ref", `{"topic":"t","event":"e","payload":{},"join_ref":"1"}`, ReasonMissingKey},
		{"ref only inside the payload", `{"topic":"t","event":"e","payload":{"ref":"2"}}`, ReasonMissingKey},
		{"one level too deep", nest(MaxDepth), ReasonTooDeep},
		{"ten megabytes of nested objects", strings.Repeat(`{"a":`, 2<<20), ReasonNotJSON},
	}
}

func TestV1DecodeRefuses(t *testing.T) {
	for _, c := range refuseV1Cases() {
		t.Run(c.name, func(t *testing.T) {
			m := Message{Topic: []byte("left over"), TopicIsString: true}
			err := (V1{}).Decode([]byte(c.frame), &m)
			checkRefused(t, err, &m, c.reason)
		})
	}
}

// checkRefused holds what every decoder does with a frame it refuses.
func checkRefused(t *testing.T, err error, m *Message, want Reason) {
	t.Helper()
	var de *DecodeError
	if !errors.As(err, &de) || de.Reason != want {
		t.Fatalf("got %v, want reason %q", err, want)
	}
	if got := dump(m); got != dump(&Message{}) {
		t.Errorf("message not cleared: %s", got)
	}
	if got, want := err.Error(), "decode frame: "+want.String(); got != want {
		t.Errorf("error text %q, want %q", got, want)
	}
	if strings.HasPrefix(want.String(), "reason ") {
		t.Errorf("reason %d has no words", want)
	}
}

func TestV1DecodeAcceptsMaxDepth(t *testing.T) {
	inner := MaxDepth - 1 // the frame itself is one
	payload := strings.Repeat("[", inner) + strings.Repeat("]", inner)
	var m Message
	if err := (V1{}).Decode([]byte(`{"topic":"t","event":"e","ref":"2","payload":`+payload+`}`), &m); err != nil {
		t.Fatal(err)
	}
	if string(m.Payload) != payload {
		t.Errorf("payload of %d bytes, want %d", len(m.Payload), len(payload))
	}
}

func TestV1DecodedSlicesCannotGrowIntoTheFrame(t *testing.T) {
	frame := []byte(`{"join_ref":"1","ref":"2","topic":"t","event":"e","payload":{}}`)
	want := string(frame)
	var m Message
	if err := (V1{}).Decode(frame, &m); err != nil {
		t.Fatal(err)
	}
	for _, s := range [][]byte{m.JoinRef, m.Ref, m.Topic, m.TopicJSON, m.Event, m.Payload} {
		_ = append(s, 'X')
	}
	if string(frame) != want {
		t.Errorf("appending to views changed the frame to %s", frame)
	}
}

func TestV1AppendReply(t *testing.T) {
	cases := []struct {
		name  string
		reply Reply
		want  string
	}{
		{
			"ok with nothing, without the join ref",
			Reply{JoinRef: []byte(`"1"`), Ref: []byte(`"2"`), Topic: []byte(`"room:1"`), Status: StatusOK},
			`{"topic":"room:1","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":"2"}`,
		},
		{
			"neither status nor payload, Phoenix case 52",
			Reply{Topic: []byte(`"t"`), Response: []byte(`null`)},
			`{"topic":"t","event":"phx_reply","payload":{"status":null,"response":null},"ref":null}`,
		},
		{
			"integer ref, odd topic, any response",
			Reply{Ref: []byte(`1`), Topic: []byte(`[ 1 ]`), Status: "o\"k\n", Response: []byte(`"str"`)},
			`{"topic":[ 1 ],"event":"phx_reply","payload":{"status":"o\"k\n","response":"str"},"ref":1}`,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := string(V1{}.AppendReply([]byte("before "), &c.reply))
			if got != "before "+c.want {
				t.Errorf("\n got %s\nwant before %s", got, c.want)
			}
		})
	}
}

func TestV1AppendPush(t *testing.T) {
	ref := []byte(`"1"`)
	topic := []byte(`"t"`)
	cases := []struct {
		name string
		push Push
		want string
	}{
		{
			"push, Phoenix case 51",
			Push{JoinRef: ref, Topic: topic, Event: "e", Payload: []byte(`{"m":1}`)},
			`{"topic":"t","event":"e","payload":{"m":1},"ref":null}`,
		},
		{
			"broadcast, Phoenix case 54",
			Push{Topic: topic, Event: "e", Payload: []byte(`{"m":1}`)},
			`{"topic":"t","event":"e","payload":{"m":1},"ref":null}`,
		},
		{
			"payload that is no object",
			Push{Topic: topic, Event: "e", Payload: []byte(`"m"`)},
			`{"topic":"t","event":"e","payload":"m","ref":null}`,
		},
		{
			"close",
			Push{JoinRef: ref, Ref: ref, Topic: topic, Event: EventClose},
			`{"topic":"t","event":"phx_close","payload":{},"ref":"1"}`,
		},
		{
			"error of a join without join_ref",
			Push{Topic: topic, Event: EventError, Payload: []byte(`{"reason":"channel_crash"}`)},
			`{"topic":"t","event":"phx_error","payload":{"reason":"channel_crash"},"ref":null}`,
		},
		{"event is escaped", Push{Topic: topic, Event: `a"b`}, `{"topic":"t","event":"a\"b","payload":{},"ref":null}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := string(V1{}.AppendPush([]byte("before "), &c.push))
			if got != "before "+c.want {
				t.Errorf("\n got %s\nwant before %s", got, c.want)
			}
		})
	}
}
