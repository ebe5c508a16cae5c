package app

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/aviary-host/aviary/host"
	"github.com/aviary-host/aviary/host/auth"
	"github.com/aviary-host/aviary/host/limit"
	"github.com/aviary-host/aviary/host/origin"
	"github.com/pelletier/go-toml/v2/unstable"
)

// Rate is a rate written as "100/s burst 200", or "off".
type Rate struct {
	limit.Rate `toml:"-"`
	given      bool
}

// UnmarshalText reads the form of limit.Parse.
func (r *Rate) UnmarshalText(text []byte) error {
	v, err := limit.Parse(string(text))
	if err != nil {
		return unstable.NewParserError(text, "%s", err)
	}
	r.Rate, r.given = v, true
	return nil
}

// or returns the rate, fallback where the file names none. "off" is a rate that
// no zero value is taken for.
func (r Rate) or(fallback limit.Rate) limit.Rate {
	switch {
	case !r.given:
		return fallback
	case r.Off():
		return limit.Rate{Count: -1}
	}
	return r.Rate
}

// Limits are how much the clients of a mount may do. What is left out has the
// default of host.DefaultLimits.
type Limits struct {
	Frames   Rate        `toml:"frames"`   // of a socket, whatever they hold
	Messages Rate        `toml:"messages"` // of a socket, joins apart
	Joins    Rate        `toml:"joins"`    // of a socket
	Channel  Rate        `toml:"channel"`  // events of a channel
	Topics   []TopicRate `toml:"topics"`   // in place of channel, for topics that fit
	LogOnly  []string    `toml:"log_only"` // limits that are not enforced
}

// TopicRate is the rate of the channels whose topics match a pattern.
type TopicRate struct {
	Pattern string `toml:"pattern"`
	Rate    Rate   `toml:"rate"`
}

// check refuses a pattern without a rate, which would limit nothing.
func (l *Limits) check() error {
	for i := range l.Topics {
		if t := &l.Topics[i]; !t.Rate.given {
			return fmt.Errorf("limits.topics: rate of pattern %q is missing: write \"100/s\", \"10/m burst 20\" or \"off\"", t.Pattern)
		}
	}
	return nil
}

func (l *Limits) host() *host.Limits {
	d := host.DefaultLimits()
	h := &host.Limits{
		Frames:   l.Frames.or(d.Frames),
		Messages: l.Messages.or(d.Messages),
		Joins:    l.Joins.or(d.Joins),
		Channel:  l.Channel.or(d.Channel),
		LogOnly:  l.LogOnly,
	}
	for _, t := range l.Topics {
		h.Topics = append(h.Topics, host.TopicRate{Pattern: t.Pattern, Rate: t.Rate.Rate})
	}
	return h
}

// Origins are the web pages that may connect: words and origins.
type Origins []string

// UnmarshalText takes what is not a list for a list of one.
func (o *Origins) UnmarshalText(text []byte) error {
	*o = Origins{string(text)}
	return nil
}

// policy returns what the host asks for; nil where the file says nothing.
func (o Origins) policy() (*origin.Policy, error) {
	if o == nil {
		return nil, nil
	}
	return origin.Parse(o)
}

// JWT says which tokens the clients of a mount have to show.
type JWT struct {
	Algorithms    []string `toml:"algorithms"`      // of HS256, RS256, ES256
	Secret        string   `toml:"secret"`          // of HS256, at least 32 bytes
	PublicKeyFile string   `toml:"public_key_file"` // PEM, relative to the configuration file
	JWKSFile      string   `toml:"jwks_file"`       // likewise
	JWKSURL       string   `toml:"jwks_url"`
	Refresh       Duration `toml:"refresh_interval"` // of jwks_url; default 10m
	Issuer        string   `toml:"issuer"`
	Audience      string   `toml:"audience"`
	Leeway        Duration `toml:"leeway"`          // default 30s
	AllowNoExpiry bool     `toml:"allow_no_expiry"` // default false
	Param         string   `toml:"param"`           // query parameter that may carry the token; default none
	IDPrefix      string   `toml:"id_prefix"`       // of the socket's id topic, before the subject; default none
}

// below makes the paths of files relative to dir.
func (j *JWT) below(dir string) {
	for _, path := range []*string{&j.PublicKeyFile, &j.JWKSFile} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(dir, *path)
		}
	}
}

// verifier makes what checks the tokens. It has to be closed.
func (a *App) verifier(j *JWT) (*auth.Verifier, error) {
	v, err := auth.New(auth.Config{
		Algorithms: j.Algorithms, Secret: []byte(j.Secret),
		PublicKeyFile: j.PublicKeyFile, JWKSFile: j.JWKSFile, JWKSURL: j.JWKSURL,
		RefreshInterval: j.Refresh.Duration, Issuer: j.Issuer, Audience: j.Audience,
		Leeway: j.Leeway.Duration, AllowNoExpiry: j.AllowNoExpiry, Logger: a.log,
	})
	if err != nil {
		return nil, err
	}
	a.verifiers = append(a.verifiers, v)
	return v, nil
}

// Drain says how clients are sent away at the end.
type Drain struct {
	Batch    int      `toml:"batch"`    // sockets told at once; default 10000
	Interval Duration `toml:"interval"` // between batches; default 2s
}

// proxies reads the addresses of trusted proxies, as addresses or networks.
func proxies(texts []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			addr, addrErr := netip.ParseAddr(text)
			if addrErr != nil {
				return nil, fmt.Errorf("http.trusted_proxies: %q is neither an address nor a network such as \"10.0.0.0/8\"", text)
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		all = append(all, prefix)
	}
	return all, nil
}

// minDrainInterval is what a mistake in the unit is under.
const minDrainInterval = time.Millisecond

func (d *Drain) check() error {
	switch {
	case d.Batch < 0:
		return fmt.Errorf("drain.batch = %d is negative", d.Batch)
	case d.Interval.Duration != 0 && d.Interval.Duration < minDrainInterval:
		return fmt.Errorf("drain.interval: %s is under %s", d.Interval, minDrainInterval)
	}
	return nil
}
