// Which topics a channel serves. The rules are the host's.

enum PatternKind {
  Exact,
  Prefix, // "room:*": whatever begins with "room:"
  Segments, // "doc:*:page": as many segments, * fits any one, also an empty one
}

export class Pattern {
  private kind: PatternKind = PatternKind.Exact;
  private segments: string[];
  private prefix: string = "";

  constructor(public text: string) {
    if (text == "") throw new Error("empty topic pattern");
    this.segments = text.split(":");
    let stars = 0;
    for (let i = 0; i < this.segments.length; i++) {
      if (this.segments[i] == "*") stars++;
    }
    const endsInStar = text.endsWith("*");
    if (stars > 1 || (stars == 1 && !endsInStar)) this.kind = PatternKind.Segments;
    else if (endsInStar) {
      this.kind = PatternKind.Prefix;
      this.prefix = text.substring(0, text.length - 1);
    }
  }

  match(topic: string): bool {
    switch (this.kind) {
      case PatternKind.Prefix:
        return topic.startsWith(this.prefix);
      case PatternKind.Segments:
        return this.matchSegments(topic);
    }
    return topic == this.text;
  }

  private matchSegments(topic: string): bool {
    const got = topic.split(":");
    if (got.length != this.segments.length) return false;
    for (let i = 0; i < got.length; i++) {
      if (this.segments[i] != "*" && this.segments[i] != got[i]) return false;
    }
    return true;
  }

  /** wildcard returns what the i-th star stands for in a topic that matches. */
  wildcard(topic: string, i: i32): string {
    if (this.kind == PatternKind.Prefix) return i == 0 ? topic.substring(this.prefix.length) : "";
    if (this.kind == PatternKind.Exact) return "";
    const got = topic.split(":");
    for (let n = 0; n < got.length; n++) {
      if (this.segments[n] == "*" && i-- == 0) return got[n];
    }
    return "";
  }
}
