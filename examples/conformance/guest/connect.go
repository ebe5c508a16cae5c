package main

import (
	"strconv"
	"strings"

	aviary "github.com/aviary-host/aviary/sdk/go"
)

func connect(c *aviary.ConnectContext, params aviary.Value) aviary.ConnectResult {
	for _, crash := range []string{"badret", "raise", "badid"} {
		if isTrue(params, crash) {
			panic(crash)
		}
	}
	switch {
	case isTrue(params, "reject"):
		return c.Refuse(403, aviary.Bytes(nil))
	case isTrue(params, "ratelimit"):
		return c.Refuse(429, aviary.Bytes([]byte("Too many requests")))
	}
	user := params.Get("user_id").String()
	accepted := c.Accept().Seed(aviary.Object().
		Str("user_id", user).
		Str("connect_info", connectInfo(c).String()))
	if user == "" {
		return accepted
	}
	return accepted.ID("user_sockets:" + user)
}

func isTrue(params aviary.Value, name string) bool { return params.Get(name).String() == "true" }

// connectInfo is what connect knows of the client beside its parameters, under
// the names that Phoenix has for it (socket.ex, connect_info). What the mount does
// not let it see is null or empty.
func connectInfo(c *aviary.ConnectContext) *aviary.Obj {
	return aviary.Object().
		Str("transport", ":"+c.Transport().String()).
		Set("x_headers", headers(c, "x-")).
		Set("sec_websocket_headers", headers(c, "sec-websocket-")).
		Set("trace_context_headers", headers(c, "trace")).
		Set("user_agent", text(c.Header("user-agent"))).
		Set("auth_token", text(c.Header(":auth_token"))).
		Set("peer_data", address(c.Header(":peer"), "address")).
		Set("uri", uri(c)).
		Set("static", c.Config("static"))
}

// headers are those whose names begin with prefix.
func headers(c *aviary.ConnectContext, prefix string) *aviary.Obj {
	found := aviary.Object()
	for name, value := range c.Headers().Members() {
		if strings.HasPrefix(name, prefix) {
			found.Set(name, value)
		}
	}
	return found
}

// address is a host, under the key given, and its port.
func address(hostPort, key string) aviary.Payload {
	if hostPort == "" {
		return null()
	}
	host, port := hostPort, 0
	if i := strings.LastIndexByte(hostPort, ':'); i >= 0 {
		host = hostPort[:i]
		port, _ = strconv.Atoi(hostPort[i+1:]) // 0 where there is none
	}
	return aviary.Object().Str(key, host).Int("port", int64(port))
}

func uri(c *aviary.ConnectContext) aviary.Payload {
	path, query, _ := strings.Cut(c.Header(":path"), "?")
	if path == "" {
		return null()
	}
	return aviary.Object().
		Str("scheme", c.Header(":scheme")).
		Set("authority", address(c.Header(":authority"), "host")).
		Str("path", path).
		Str("query", query)
}

// text is a string, or null where it is empty.
func text(s string) aviary.Value {
	if s == "" {
		return null()
	}
	return aviary.Text(s)
}

func null() aviary.Value { return aviary.JSON("null") }
