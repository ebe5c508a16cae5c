package host

import (
	"fmt"
	"testing"

	"github.com/valyala/fasthttp"
)

func TestEndpoints(t *testing.T) {
	all := newEndpoints([]Mount{
		{Path: "/socket", LongPoll: true},
		{Path: "/ws/:tenant", LongPoll: true},
		{Path: "/ws/admin"},
		{Path: "/:a/:b"},
		{Path: ""},
	})
	for _, tt := range []struct{ path, want string }{
		{"/socket/websocket", "/socket []"},
		{"/socket/longpoll", "/socket poll []"},
		{"/socket", "none"},
		{"/socket/websocket/", "none"},
		{"/ws/admin/websocket", "/ws/admin []"}, // exact before variables
		{"/ws/admin/longpoll", "/ws/admin poll []"},
		{"/ws/acme/websocket", "/ws/:tenant [{tenant acme}]"},
		{"/x/y/websocket", "/:a/:b [{a x} {b y}]"},
		{"/x/y/longpoll", "/:a/:b poll [{a x} {b y}]"},
		{"/ws//websocket", "none"},
		{"//y/websocket", "none"},
		{"/websocket", " []"},
		{"", "none"},
		{"/", "none"},
	} {
		var u fasthttp.URI
		if err := u.Parse(nil, []byte("http://host"+tt.path)); err != nil {
			t.Fatal(err)
		}
		got := "none"
		if e, vars := all.find(&u); e != nil {
			poll := ""
			if e.longPoll {
				poll = "poll "
			}
			got = fmt.Sprintf("%s %s%v", e.mount.Path, poll, vars)
		}
		if got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.path, got, tt.want)
		}
	}
}
