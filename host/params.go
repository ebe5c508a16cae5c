package host

import (
	"fmt"
	"sort"
	"strings"

	"github.com/aviary-host/aviary/wire"
	"github.com/valyala/fasthttp"
)

// Bounds of the query string of a connect.
const (
	maxParams     = 256
	maxParamDepth = 16
)

// paramsJSON turns a query string into the JSON object that connect sees. Keys
// nest as in Plug: a[b]=1 is {"a":{"b":"1"}}, a[]=1&a[]=2 is {"a":["1","2"]};
// phoenix.js sends nested params so. A later value replaces an earlier one, and
// the variables of the mount's path replace all.
func paramsJSON(args *fasthttp.Args, vars []pathVar) (object []byte, problem string) {
	if args.Len() > maxParams {
		return nil, fmt.Sprintf("more than %d query parameters", maxParams)
	}
	root := &param{}
	for key, value := range args.All() {
		path, ok := paramPath(string(key))
		if !ok {
			return nil, fmt.Sprintf("query parameter nested deeper than %d", maxParamDepth)
		}
		root.set(path, string(value))
	}
	for _, v := range vars {
		root.set([]string{v.name}, v.value)
	}
	return root.appendJSON(nil), ""
}

// paramPath splits a[b][] into a, b and "". A key with unbalanced brackets is
// one name.
func paramPath(key string) (path []string, ok bool) {
	name, rest, nested := strings.Cut(key, "[")
	if !nested || name == "" || !strings.HasSuffix(rest, "]") {
		return []string{key}, true
	}
	inner := strings.Split(rest[:len(rest)-1], "][")
	if len(inner) > maxParamDepth {
		return nil, false
	}
	for _, s := range inner {
		if strings.ContainsAny(s, "[]") {
			return []string{key}, true
		}
	}
	return append([]string{name}, inner...), true
}

// param is a node of the tree of parameters: a text, a list, or an object, the
// root being one.
type param struct {
	text   string
	leaf   bool
	list   []*param
	fields map[string]*param
}

func (p *param) set(path []string, value string) {
	for i, name := range path {
		last := i == len(path)-1
		p.leaf = false
		if name == "" && i > 0 {
			p.fields = nil
			item := &param{}
			p.list = append(p.list, item)
			p = item
		} else {
			p.list = nil
			p = p.field(name)
		}
		if last {
			*p = param{text: value, leaf: true}
		}
	}
}

func (p *param) field(name string) *param {
	if p.fields == nil {
		p.fields = map[string]*param{}
	}
	f := p.fields[name]
	if f == nil {
		f = &param{}
		p.fields[name] = f
	}
	return f
}

func (p *param) appendJSON(dst []byte) []byte {
	switch {
	case p.leaf:
		return wire.AppendQuoted(dst, p.text)
	case p.list != nil:
		dst = append(dst, '[')
		for i, item := range p.list {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = item.appendJSON(dst)
		}
		return append(dst, ']')
	}
	names := make([]string, 0, len(p.fields))
	for name := range p.fields {
		names = append(names, name)
	}
	sort.Strings(names)
	dst = append(dst, '{')
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(wire.AppendQuoted(dst, name), ':')
		dst = p.fields[name].appendJSON(dst)
	}
	return append(dst, '}')
}
