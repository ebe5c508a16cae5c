package wire

import (
	"strings"
	"testing"
)

// decodeCase is one client frame and what it means. The same table feeds the
// fuzz corpus.
type decodeCase struct {
	name  string
	frame string
	want  string // the message as dump prints it
}

func decodeCases() []decodeCase {
	return []decodeCase{
		{
			"the usual message", `["1","2","room:1","new_msg",{"body":"hi"}]`,
			`jr="1" ref="2" topic=room:1 json="room:1" event=new_msg payload={"body":"hi"}`,
		},
		{
			"broadcast of Phoenix case 55", `[null,null,"t","e",{"m":1}]`,
			`jr=nil ref=nil topic=t json="t" event=e payload={"m":1}`,
		},
		{
			"push that phoenix.js sends, case 66", `["0","1","t","e",{"foo":1}]`,
			`jr="0" ref="1" topic=t json="t" event=e payload={"foo":1}`,
		},
		{
			"integer refs stay integers", `[11,1,"t","e",{}]`,
			`jr=11 ref=1 topic=t json="t" event=e payload={}`,
		},
		{
			"refs of any type", `[{"a":[1]},[true,"]"],"t","e",{}]`,
			`jr={"a":[1]} ref=[true,"]"] topic=t json="t" event=e payload={}`,
		},
		{
			"refs keep their spelling", `["\u0031",1.50e2,"t","e",{}]`,
			`jr="\u0031" ref=1.50e2 topic=t json="t" event=e payload={}`,
		},
		{
			"the string null is no null", `["null","","t","e",{}]`,
			`jr="null" ref="" topic=t json="t" event=e payload={}`,
		},
		{
			"extra elements are ignored", `["1","2","t","e",{},6,[7,"]"],{"8":"}"}]`,
			`jr="1" ref="2" topic=t json="t" event=e payload={}`,
		},
		{
			"space everywhere", " [ \"1\" ,\t\"2\"\r\n, \"t\" , \"e\" , { \"m\" : 1 } ] \n",
			`jr="1" ref="2" topic=t json="t" event=e payload={ "m" : 1 }`,
		},
		{
			"payload null", `["1","2","t","e",null]`,
			`jr="1" ref="2" topic=t json="t" event=e payload=null`,
		},
		{
			"payload of brackets in strings", `["1","2","t","e",{"a":"]}\"]","b":["[{"]}]`,
			`jr="1" ref="2" topic=t json="t" event=e payload={"a":"]}\"]","b":["[{"]}`,
		},
		{
			"payload number before space", `["1","2","t","e",-1.5E+3 ]`,
			`jr="1" ref="2" topic=t json="t" event=e payload=-1.5E+3`,
		},
		{
			"empty topic and event are strings", `["1","2","","",{}]`,
			`jr="1" ref="2" topic= json="" event= payload={}`,
		},
		{
			"topic not a string", `["1","2",{"t":1},"e",{}]`,
			`jr="1" ref="2" topic=none json={"t":1} event=e payload={}`,
		},
		{
			"topic null", `["1","2",null,"e",{}]`,
			`jr="1" ref="2" topic=none json=null event=e payload={}`,
		},
		{
			"event not a string", `["1","2","t",[1,"x"],{}]`,
			`jr="1" ref="2" topic=t json="t" event=raw:[1,"x"] payload={}`,
		},
		{
			"event null", `["1","2","t",null,{}]`,
			`jr="1" ref="2" topic=t json="t" event=raw:null payload={}`,
		},
		{
			"topic not ASCII", `["1","2","room:café","é",{}]`,
			`jr="1" ref="2" topic=room:café json="room:café" event=é payload={}`,
		},
		{
			"topic escaped", `["1","2","r\u006f\/\"\\x","e",{}]`,
			`jr="1" ref="2" topic=ro/"\x json="r\u006f\/\"\\x" event=e payload={}`,
		},
		{
			"event with each short escape", `["1","2","t","\b\f\n\r\t\"\\\/",{}]`,
			"jr=\"1\" ref=\"2\" topic=t json=\"t\" event=\b\f\n\r\t\"\\/ payload={}",
		},
		{
			"surrogate pair", `["1","2","t","\uD83D\ude00",{}]`,
			`jr="1" ref="2" topic=t json="t" event=😀 payload={}`,
		},
		{
			"lone surrogates", `["1","2","t","\ud83d \ude00\ud83dx\ud83d\ud83d\ude00\ud83d\u0041\ud83d\n",{}]`,
			"jr=\"1\" ref=\"2\" topic=t json=\"t\" event=\ufffd \ufffd\ufffdx\ufffd😀\ufffdA\ufffd\n payload={}",
		},
	}
}

func dump(m *Message) string {
	ref := func(b []byte) string {
		if b == nil {
			return "nil"
		}
		return string(b)
	}
	topic, event, kind := "none", "raw:"+string(m.Event), ""
	if m.TopicIsString {
		topic = string(m.Topic)
	}
	if m.EventIsString {
		event = string(m.Event)
	}
	if m.Binary {
		kind = " binary"
	}
	return "jr=" + ref(m.JoinRef) + " ref=" + ref(m.Ref) + " topic=" + topic +
		" json=" + string(m.TopicJSON) + " event=" + event + " payload=" + string(m.Payload) + kind
}

func TestDecode(t *testing.T) {
	for _, c := range decodeCases() {
		t.Run(c.name, func(t *testing.T) {
			m := Message{JoinRef: []byte("left over"), Topic: []byte("left over"), TopicIsString: true}
			if err := (V2{}).Decode([]byte(c.frame), &m); err != nil {
				t.Fatal(err)
			}
			if got := dump(&m); got != c.want {
				t.Errorf("frame %s\n got %s\nwant %s", c.frame, got, c.want)
			}
			if (m.Topic != nil) != m.TopicIsString {
				t.Errorf("Topic %q but TopicIsString %v", m.Topic, m.TopicIsString)
			}
		})
	}
}

// refuseCase is one bad frame and why it is refused.
type refuseCase struct {
	name   string
	frame  string
	reason Reason
}

func refuseCases() []refuseCase {
	nest := func(n int) string {
		return `[1,2,3,4,` + strings.Repeat("[", n) + strings.Repeat("]", n) + `]`
	}
	return []refuseCase{
		{"empty", "", ReasonNotJSON},
		{"only space", " \n", ReasonNotJSON},
		{"text", "hello", ReasonNotJSON},
		{"cut off", `["1","2","t","e",{}`, ReasonNotJSON},
		{"cut off in a string", `["1","2","t","e`, ReasonNotJSON},
		{"trailing bytes", `["1","2","t","e",{}]x`, ReasonNotJSON},
		{"two frames", `["1","2","t","e",{}]["1","2","t","e",{}]`, ReasonNotJSON},
		{"trailing comma", `["1","2","t","e",{},]`, ReasonNotJSON},
		{"no comma", `["1","2","t","e" {}]`, ReasonNotJSON},
		{"mismatched brackets", `["1","2","t","e",{]}`, ReasonNotJSON},
		{"control character in topic", "[\"1\",\"2\",\"t\x01\",\"e\",{}]", ReasonNotJSON},
		{"newline in payload", "[\"1\",\"2\",\"t\",\"e\",{\"a\":\"x\ny\"}]", ReasonNotJSON},
		{"NUL in event", "[\"1\",\"2\",\"t\",\"e\x00\",{}]", ReasonNotJSON},
		{"unknown escape in ref", `["1","\x","t","e",{}]`, ReasonNotJSON},
		{"bad unicode escape in key", `["1","2","t","e",{"\u12g4":1}]`, ReasonNotJSON},
		{"short unicode escape", `["1","2","t","e\u12",{}]`, ReasonNotJSON},
		{"unknown escape in an ignored element", `["1","2","t","e",{},"\x"]`, ReasonNotJSON},
		{"unknown escape in a non-array", `"\x"`, ReasonNotJSON},
		{"byte order mark", "\ufeff[1,2,3,4,5]", ReasonNotJSON},
		{"not UTF-8 in topic", "[\"1\",\"2\",\"t\xff\",\"e\",{}]", ReasonNotUTF8},
		{"encoded surrogate", "[\"1\",\"2\",\"t\xed\xa0\x80\",\"e\",{}]", ReasonNotUTF8},
		{"a V1 frame", `{"topic":"t","event":"e","payload":{},"ref":"1"}`, ReasonNotArray},
		{"a number", `5`, ReasonNotArray},
		{"a string", `"phx_join"`, ReasonNotArray},
		{"no elements", `[]`, ReasonTooFewElements},
		{"four elements", `["1","2","t","e"]`, ReasonTooFewElements},
		{"one level too deep", nest(MaxDepth), ReasonTooDeep},
		{"ten megabytes of [", strings.Repeat("[", 10<<20), ReasonNotJSON},
		{"ten megabytes of nested objects", strings.Repeat(`{"a":`, 2<<20), ReasonNotJSON},
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, c := range refuseCases() {
		t.Run(c.name, func(t *testing.T) {
			m := Message{Topic: []byte("left over"), TopicIsString: true}
			err := (V2{}).Decode([]byte(c.frame), &m)
			checkRefused(t, err, &m, c.reason)
		})
	}
}

func TestDecodeAcceptsMaxDepth(t *testing.T) {
	inner := MaxDepth - 1 // the frame itself is one
	frame := `[1,2,3,4,` + strings.Repeat("[", inner) + strings.Repeat("]", inner) + `]`
	var m Message
	if err := (V2{}).Decode([]byte(frame), &m); err != nil {
		t.Fatal(err)
	}
	if len(m.Payload) != 2*inner {
		t.Errorf("payload of %d bytes, want %d", len(m.Payload), 2*inner)
	}
}

func TestDecodedSlicesCannotGrowIntoTheFrame(t *testing.T) {
	frame := []byte(`["1","2","t","e",{}]`)
	want := string(frame)
	var m Message
	if err := (V2{}).Decode(frame, &m); err != nil {
		t.Fatal(err)
	}
	for _, s := range [][]byte{m.JoinRef, m.Ref, m.Topic, m.TopicJSON, m.Event, m.Payload} {
		_ = append(s, 'X')
	}
	if string(frame) != want {
		t.Errorf("appending to views changed the frame to %s", frame)
	}
}

func TestAppendReply(t *testing.T) {
	cases := []struct {
		name  string
		reply Reply
		want  string
	}{
		{
			"ok with nothing",
			Reply{JoinRef: []byte(`"1"`), Ref: []byte(`"2"`), Topic: []byte(`"room:1"`), Status: StatusOK},
			`["1","2","room:1","phx_reply",{"status":"ok","response":{}}]`,
		},
		{
			"heartbeat has a null join ref",
			Reply{Ref: []byte(`"7"`), Topic: []byte(`"phoenix"`), Status: StatusOK, Response: []byte(`{}`)},
			`[null,"7","phoenix","phx_reply",{"status":"ok","response":{}}]`,
		},
		{
			"integer refs, odd topic, any response",
			Reply{JoinRef: []byte(`11`), Ref: []byte(`1`), Topic: []byte(`null`), Status: StatusError, Response: []byte(`[1,2]`)},
			`[11,1,null,"phx_reply",{"status":"error","response":[1,2]}]`,
		},
		{
			"status is escaped",
			Reply{Status: "o\"k\n"},
			`[null,null,null,"phx_reply",{"status":"o\"k\n","response":{}}]`,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := string(V2{}.AppendReply([]byte("before "), &c.reply))
			if got != "before "+c.want {
				t.Errorf("\n got %s\nwant before %s", got, c.want)
			}
		})
	}
}

func TestAppendPush(t *testing.T) {
	ref := []byte(`"1"`)
	topic := []byte(`"t"`)
	cases := []struct {
		name string
		push Push
		want string
	}{
		{"push", Push{JoinRef: ref, Topic: topic, Event: "e", Payload: []byte(`{"m":1}`)}, `["1",null,"t","e",{"m":1}]`},
		{"broadcast", Push{Topic: topic, Event: "e", Payload: []byte(`{"m":1}`)}, `[null,null,"t","e",{"m":1}]`},
		{"close", Push{JoinRef: ref, Ref: ref, Topic: topic, Event: EventClose}, `["1","1","t","phx_close",{}]`},
		{
			"error",
			Push{JoinRef: ref, Ref: ref, Topic: topic, Event: EventError, Payload: []byte(`{"reason":"channel_crash"}`)},
			`["1","1","t","phx_error",{"reason":"channel_crash"}]`,
		},
		{"event is escaped", Push{Topic: topic, Event: `a"b`}, `[null,null,"t","a\"b",{}]`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := string(V2{}.AppendPush(nil, &c.push)); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

// The client compares refs and topic with its own text, so a reply must repeat
// them byte for byte, whatever they are.
func TestReplyEchoesTheRequestVerbatim(t *testing.T) {
	cases := []struct{ name, frame, want string }{
		{"strings", `["1","2","room:1","e",{}]`, `["1","2","room:1","phx_reply",{"status":"ok","response":{}}]`},
		{"integers", `[11,1,"t","e",{}]`, `[11,1,"t","phx_reply",{"status":"ok","response":{}}]`},
		{"escaped topic", `[null,"2","r\u006f\/m","e",{}]`, `[null,"2","r\u006f\/m","phx_reply",{"status":"ok","response":{}}]`},
		{"odd types", `[1e2,[ 1 ],{"t":0},"e",{}]`, `[1e2,[ 1 ],{"t":0},"phx_reply",{"status":"ok","response":{}}]`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var m Message
			if err := (V2{}).Decode([]byte(c.frame), &m); err != nil {
				t.Fatal(err)
			}
			r := Reply{JoinRef: m.JoinRef, Ref: m.Ref, Topic: m.TopicJSON, Status: StatusOK}
			if got := string(V2{}.AppendReply(nil, &r)); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestHotPathsDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	frame := []byte(`["1","2","room:café","new_msg",{"body":"line one\nline two","n":[1,2,3]}]`)
	var m Message
	frameV1 := []byte(`{"topic":"room:café","\u0065vent":"new_msg","payload":{"body":"a\nb"},"ref":"2","join_ref":"1"}`)
	reply := Reply{JoinRef: []byte(`"1"`), Ref: []byte(`"2"`), Topic: []byte(`"t"`), Status: StatusOK}
	push := Push{Topic: []byte(`"t\u00e9"`), Event: "new_msg", Payload: []byte(`{"body":"hi"}`)}
	badText := Push{Topic: []byte(`11`), Event: "a\xffb", Payload: []byte{0, 1}}
	appended := func(_ []byte, err error) {
		if err != nil {
			t.Error(err)
		}
	}
	dst := make([]byte, 0, 256)
	cases := []struct {
		name string
		run  func()
	}{
		{"Decode", func() {
			if err := (V2{}).Decode(frame, &m); err != nil {
				t.Error(err)
			}
		}},
		{"V1.Decode", func() {
			if err := (V1{}).Decode(frameV1, &m); err != nil {
				t.Error(err)
			}
		}},
		{"V1.AppendReply", func() { V1{}.AppendReply(dst, &reply) }},
		{"V1.AppendPush", func() { V1{}.AppendPush(dst, &push) }},
		{"Valid", func() { Valid(frame) }},
		{"AppendReply", func() { V2{}.AppendReply(dst, &reply) }},
		{"AppendPush", func() { V2{}.AppendPush(dst, &push) }},
		{"AppendBinaryReply", func() { appended(V2{}.AppendBinaryReply(dst, &reply)) }},
		{"AppendBinaryPush", func() { appended(V2{}.AppendBinaryPush(dst, &push)) }},
		{"AppendBinaryBroadcast", func() { appended(V2{}.AppendBinaryBroadcast(dst, &push)) }},
		{"AppendBinaryPush of bad text", func() { appended(V2{}.AppendBinaryPush(dst, &badText)) }},
		{"AppendQuoted", func() { AppendQuoted(dst, "a\"\u2028\xffé") }},
	}
	for _, c := range cases {
		if n := testing.AllocsPerRun(1000, c.run); n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}

// The tokens of a binary frame and what a user broadcast becomes are new text, all
// in one piece.
func TestDecodeBinaryAllocatesOnce(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, c := range decodeBinaryCases() {
		frame := []byte(c.frame)
		var m Message
		n := testing.AllocsPerRun(1000, func() {
			if err := (V2{}).DecodeBinary(frame, &m); err != nil {
				t.Error(err)
			}
		})
		if n != 1 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}
