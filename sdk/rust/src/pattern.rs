//! Patterns of topics. The rules are the host's.

/// Tells which topics a channel serves.
#[derive(Clone, Copy)]
pub(crate) struct Pattern {
    pub(crate) text: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Exact,
    /// "room:*": whatever begins with "room:".
    Prefix,
    /// "doc:*:page": as many segments, and a star fits any one, also an empty one.
    Segments,
}

impl Pattern {
    /// Panics on the empty pattern, which no topic matches.
    pub(crate) fn new(text: &'static str) -> Self {
        if text.is_empty() {
            panic!("aviary: empty topic pattern");
        }
        let stars = text.split(':').filter(|segment| *segment == "*").count();
        let at_end = text.ends_with('*');
        let kind = if stars > 1 || stars == 1 && !at_end {
            Kind::Segments
        } else if at_end {
            Kind::Prefix
        } else {
            Kind::Exact
        };
        Pattern { text, kind }
    }

    fn prefix(&self) -> &'static str {
        &self.text[..self.text.len() - 1]
    }

    pub(crate) fn matches(&self, topic: &str) -> bool {
        match self.kind {
            Kind::Exact => topic == self.text,
            Kind::Prefix => topic.starts_with(self.prefix()),
            Kind::Segments => self.matches_segments(topic),
        }
    }

    fn matches_segments(&self, topic: &str) -> bool {
        let (mut want, mut got) = (self.text.split(':'), topic.split(':'));
        loop {
            match (want.next(), got.next()) {
                (None, None) => return true,
                (Some(w), Some(g)) if w == "*" || w == g => {}
                _ => return false,
            }
        }
    }

    /// Returns what the i-th star stands for in a topic that matches, "" if there is no such star.
    pub(crate) fn wildcard<'a>(&self, topic: &'a str, i: usize) -> &'a str {
        match self.kind {
            Kind::Exact => "",
            Kind::Prefix if i == 0 => &topic[self.prefix().len()..],
            Kind::Prefix => "",
            Kind::Segments => {
                let stars = self.text.split(':').zip(topic.split(':')).filter(|(want, _)| *want == "*");
                stars.map(|(_, got)| got).nth(i).unwrap_or("")
            }
        }
    }
}
