package main

// colors go well with each other, and with white and black behind them.
var colors = [...]string{
	"#d9480f", "#c2255c", "#9c36b5", "#6741d9", "#3b5bdb", "#1971c2",
	"#0c8599", "#099268", "#2f9e44", "#66a80f", "#e8590c", "#a8620a",
}

// colorOf gives a name its colour, always the same one (FNV-1a).
func colorOf(name string) string {
	hash := uint32(2166136261)
	for _, c := range []byte(name) {
		hash = (hash ^ uint32(c)) * 16777619
	}
	return colors[hash%uint32(len(colors))]
}
