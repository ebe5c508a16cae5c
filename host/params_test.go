package host

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

func TestParams(t *testing.T) {
	for _, tt := range []struct{ query, want string }{
		{"", `{}`},
		{"a=1&vsn=2.0.0", `{"a":"1","vsn":"2.0.0"}`},
		{"a=1&a=2", `{"a":"2"}`},
		{"a[]=1&a[]=2", `{"a":["1","2"]}`},
		{"n[b][0]=1&n[b][1]=2", `{"n":{"b":{"0":"1","1":"2"}}}`},
		{"u[name]=Ada&u[tags][]=x", `{"u":{"name":"Ada","tags":["x"]}}`},
		{"a[][b]=1&a[][b]=2", `{"a":[{"b":"1"},{"b":"2"}]}`},
		{"a=1&a[b]=2", `{"a":{"b":"2"}}`},
		{"a[b]=2&a=1", `{"a":"1"}`},
		{"a[b]=1&a[]=2", `{"a":["2"]}`},
		{"flag", `{"flag":""}`},
		{"q=%22%5C%0a%e2%80%a8", `{"q":"\"\\\n\u2028"}`},
		{"bad=%ff", `{"bad":"\ufffd"}`},
		{"a[b=1", `{"a[b":"1"}`},
		{"a]b[=1", `{"a]b[":"1"}`},
		{"[x]=1", `{"[x]":"1"}`},
		{"a[b]c=1", `{"a[b]c":"1"}`},
		{"=1", `{"":"1"}`},
	} {
		var args fasthttp.Args
		args.Parse(tt.query)
		got, problem := paramsJSON(&args, nil)
		if problem != "" {
			t.Errorf("%s: %s", tt.query, problem)
		}
		var g, w any
		if err := json.Unmarshal(got, &g); err != nil {
			t.Errorf("%s: %s: %v", tt.query, got, err)
			continue
		}
		if err := json.Unmarshal([]byte(tt.want), &w); err != nil {
			t.Fatal(err)
		}
		gb, _ := json.Marshal(g)
		wb, _ := json.Marshal(w)
		if string(gb) != string(wb) {
			t.Errorf("%s: %s, want %s", tt.query, gb, wb)
		}
	}
}

func TestParamsBounds(t *testing.T) {
	for query, want := range map[string]string{
		strings.Repeat("a=1&", 257):            "more than 256 query parameters",
		"a" + strings.Repeat("[b]", 17) + "=1": "query parameter nested deeper than 16",
	} {
		var args fasthttp.Args
		args.Parse(query)
		if _, problem := paramsJSON(&args, nil); problem != want {
			t.Errorf("%.20s...: %q, want %q", query, problem, want)
		}
	}
}

// FuzzParams: any query string gives valid JSON or a refusal.
func FuzzParams(f *testing.F) {
	f.Add("a[b][]=1&c=%00")
	f.Add("a[][][]=1&a[x]=2&a=3")
	f.Fuzz(func(t *testing.T, query string) {
		var args fasthttp.Args
		args.Parse(query)
		if got, problem := paramsJSON(&args, nil); problem == "" && !json.Valid(got) {
			t.Errorf("%q: %s", query, got)
		}
	})
}
