package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

var (
	errWrong   = errors.New("wrong answer")
	errMissing = errors.New("messages are missing")
	errGrown   = errors.New("the server has grown")
)

// payloadSize is the size of the JSON payload of every push.
const payloadSize = 64

// joinRef is the join_ref of the first channel of a connection.
const joinRef = "1"

func joinText(ref, topic, payload string) string {
	return fmt.Sprintf(`[%q,%q,%q,"phx_join",%s]`, ref, ref, topic, payload)
}

func leaveText(joinRef, ref, topic string) string {
	return fmt.Sprintf(`[%q,%q,%q,"phx_leave",{}]`, joinRef, ref, topic)
}

// The heartbeat of a socket, with a ref that no push has.
const (
	heartbeatRef  = "heartbeat"
	heartbeatText = `[null,"` + heartbeatRef + `","phoenix","heartbeat",{}]`
)

// echoBody is the payload of an echo.
func echoBody() string {
	const head, tail = `{"body":"`, `"}`
	return head + strings.Repeat("x", payloadSize-len(head)-len(tail)) + tail
}

// echoText is an echo whose ref is the number.
func echoText(topic string) string {
	return fmt.Sprintf(`[%q,"%s",%q,"echo",%s]`, joinRef, formatNumber(0), topic, echoBody())
}

// shoutBody is the payload of a broadcast, which the number n is part of.
func shoutBody(n number) string {
	head, tail := fmt.Sprintf(`{"n":"%s","body":"`, n), `"}`
	return head + strings.Repeat("x", payloadSize-len(head)-len(tail)) + tail
}

func shoutText(topic string) string {
	return fmt.Sprintf(`[%q,"s",%q,"shout",%s]`, joinRef, topic, shoutBody(formatNumber(0)))
}

// message is a frame of serializer 2.0.0, taken apart.
type message struct {
	joinRef, ref, topic, event any
	payload                    any
}

func parseMessage(text []byte) (m message, err error) {
	var e []any
	if err := json.Unmarshal(text, &e); err != nil {
		return m, fmt.Errorf("%w: %s: %w", errWrong, excerpt(text), err)
	}
	if len(e) != 5 {
		return m, fmt.Errorf("%w: %s is no message of five elements", errWrong, excerpt(text))
	}
	return message{e[0], e[1], e[2], e[3], e[4]}, nil
}

// checkReply checks that text answers ref on topic with ok; body, if not
// empty, is the response it must hold.
func checkReply(text []byte, topic, ref, body string) error {
	m, err := parseMessage(text)
	if err != nil {
		return err
	}
	response, ok := m.payload.(map[string]any)
	switch {
	case m.event != "phx_reply" || m.topic != topic:
		return wrong(text, "is no reply on topic "+topic)
	case m.ref != ref:
		return wrong(text, "answers another ref than "+ref)
	case !ok || response["status"] != "ok":
		return wrong(text, "has not the status ok")
	case body != "" && !reflect.DeepEqual(response["response"], parsed(body)):
		return wrong(text, "has not the response "+body)
	}
	return nil
}

// checkShout checks that text is the broadcast with number n on topic.
func checkShout(text []byte, topic string, n number) error {
	m, err := parseMessage(text)
	if err != nil {
		return err
	}
	switch {
	case m.event != "shout" || m.topic != topic || m.ref != nil:
		return wrong(text, "is no broadcast of shout on topic "+topic)
	case !reflect.DeepEqual(m.payload, parsed(shoutBody(n))):
		return wrong(text, fmt.Sprintf("is not broadcast %s, the next", n))
	}
	return nil
}

// parsed returns the value of our own JSON text.
func parsed(text string) (v any) {
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		panic(err)
	}
	return v
}

func wrong(text []byte, problem string) error {
	return fmt.Errorf("%w: %s %s", errWrong, excerpt(text), problem)
}

// excerpt shortens a frame for an error message.
func excerpt(text []byte) string {
	const most = 300
	if len(text) > most {
		return string(text[:most]) + "..."
	}
	return string(text)
}
