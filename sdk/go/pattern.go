package aviary

// pattern tells which topics a channel serves. The rules are the host's.
type pattern struct {
	text string
	kind patternKind
}

type patternKind uint8

const (
	patternExact    patternKind = iota
	patternPrefix               // "room:*": whatever begins with "room:"
	patternSegments             // "doc:*:page": as many segments, * fits any one, also an empty one
)

const star = "*"

// parsePattern panics on the empty pattern, which no topic matches.
func parsePattern(text string) pattern {
	if text == "" {
		panic("aviary: empty topic pattern")
	}
	stars := 0
	for rest, more := text, true; more; {
		var segment string
		if segment, rest, more = cutSegment(rest); segment == star {
			stars++
		}
	}
	endsInStar := text[len(text)-1] == '*'
	switch {
	case stars > 1, stars == 1 && !endsInStar:
		return pattern{text, patternSegments}
	case endsInStar:
		return pattern{text, patternPrefix}
	}
	return pattern{text, patternExact}
}

// cutSegment splits off what stands before the first colon.
func cutSegment(s string) (segment, rest string, more bool) {
	for i := 0; i < len(s); i++ {
		if s[i] == ':' {
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

func (p pattern) match(topic string) bool {
	switch p.kind {
	case patternPrefix:
		n := len(p.text) - len(star)
		return len(topic) >= n && topic[:n] == p.text[:n]
	case patternSegments:
		return p.matchSegments(topic)
	}
	return topic == p.text
}

func (p pattern) matchSegments(topic string) bool {
	pat := p.text
	for {
		want, patRest, patMore := cutSegment(pat)
		got, topicRest, topicMore := cutSegment(topic)
		if patMore != topicMore || want != star && want != got {
			return false
		}
		if !patMore {
			return true
		}
		pat, topic = patRest, topicRest
	}
}

// wildcard returns what the i-th star of p stands for in topic, which matches.
func (p pattern) wildcard(topic string, i int) string {
	switch p.kind {
	case patternPrefix:
		if i == 0 {
			return topic[len(p.text)-len(star):]
		}
	case patternSegments:
		return p.segment(topic, i)
	}
	return ""
}

func (p pattern) segment(topic string, i int) string {
	pat := p.text
	for more := true; more; {
		var want, got string
		want, pat, more = cutSegment(pat)
		got, topic, _ = cutSegment(topic)
		if want != star {
			continue
		}
		if i == 0 {
			return got
		}
		i--
	}
	return ""
}
