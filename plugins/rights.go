package plugins

import (
	"encoding/json"
	"log/slog"
	"unicode/utf8"
)

// rights are what the imports give to the guests of a plugin and what they keep
// from them.
type rights struct {
	presence func(topic []byte) error
	log      error
	secrets  map[string]json.RawMessage // JSON strings
}

// grant takes the rights out of the configuration. No error shows a secret.
func (p *Plugin) grant(cfg *Config) error {
	p.rights = rights{presence: cfg.PresenceDenied, log: cfg.LogDenied, secrets: map[string]json.RawMessage{}}
	for key, text := range cfg.Secrets {
		_, taken := p.settings[key]
		switch {
		case key == "":
			return p.refuse("configured with a secret that has no key")
		case taken:
			return p.refuse("configured with %q as a setting and as a secret", key)
		case !utf8.ValidString(text):
			return p.refuse("configured with a secret %q that is not UTF-8", key)
		}
		p.rights.secrets[key], _ = json.Marshal(text) // a string cannot fail
	}
	return nil
}

// guestLogger returns where what the guests write is logged.
func (p *Plugin) guestLogger() *slog.Logger {
	if p.rights.log != nil {
		return slog.New(slog.DiscardHandler)
	}
	return p.logger
}

// checkLog ends the callback of a guest that may not log.
func (r *rights) checkLog() { denyFor(r.log) }

// checkPresence ends the callback of a guest that may not read the presences of
// topic.
func (r *rights) checkPresence(topic []byte) {
	if r.presence != nil {
		denyFor(r.presence(topic))
	}
}

func denyFor(why error) {
	if why != nil {
		panic(&fault{kind: KindDenied, message: why.Error(), cause: why})
	}
}
