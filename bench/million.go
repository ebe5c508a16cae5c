package main

import (
	"fmt"
	"strings"
)

// What a million sockets take, from constants: they do not come from the run that the
// rest of the page is about, as they need gigabytes and a quiet hour. Whoever measures
// them anew, with the commands that the page names, writes them here.
const (
	memoryDate    = "2026-11-25"
	socketBytes   = 440  // one topic, 1 000 000 sockets: B/socket
	channelBytes  = 290  // likewise: B/channel
	ownTopicBytes = 416  // own topics, likewise: B/channel
	talkedBytes   = 32   // likewise: B/talked
	loopedBytes   = 585  // connection of a loop
	pairBytes     = 9300 // of the kernel, both ends
	pairObjects   = 7500 // likewise: objects in /proc/slabinfo for each of 10 000, while `make bench` held them

	// machineBytes is what all has to fit in.
	machineBytes = 24 << 30
)

// memoryTable is what make memory printed, with 100 000 and with 1 000 000 channels.
const memoryTable = `
connection of a loop: 585 B; with its socket and a channel: 1325 B, and 1536 at most
shape            sockets  channels  B/socket  B/channel  B/talked  objects  join us  push us  answer us  heap MiB
one topic         100000    100000       419        291        32      9.0    19.80    15.31       9.48        75
own topics        100000    100000       419        394        32     11.0    32.77    31.67      35.45        88
10 topics          10000    100000       428        295        51      8.1    30.05     8.57       9.00        48
100 topics          1000    100000       439        295        49      8.0    29.53    16.67      21.98        44
one topic        1000000   1000000       440        290        32      9.0    72.05    26.23      11.34       758
own topics       1000000   1000000       440        416        32     11.0    36.31    10.69      13.69       931
10 topics         100000   1000000       419        296        51      8.1    43.42    14.30      18.35       535
100 topics         10000   1000000       428        294        49      8.0    34.40    11.20       8.19       495
`

// need is what one socket takes of something.
type need struct {
	what  string
	bytes int
	from  string
}

// needs are all that one idle socket takes that has joined a topic. The last two are
// the collector's and the kernel's.
func needs() []need {
	live := socketBytes + channelBytes + loopedBytes
	return []need{
		{"socket", socketBytes, "`make memory`: B/socket"},
		{"channel, on a topic that all have joined", channelBytes, "`make memory`: B/channel"},
		{"connection of a loop", loopedBytes, "`make memory`: its first line"},
		{"what the collector lets lie, at most (GOGC=100)", live, "as much as all of the above"},
		{"kernel, the server's end of the connection", pairBytes / 2, "half of what each of 18 000 pairs on loopback added to slab in /proc/meminfo"},
	}
}

// million writes the section of the page with the arithmetic.
func million(b *strings.Builder) {
	fmt.Fprintf(b, millionHead, memoryDate)
	total := 0
	for _, n := range needs() {
		total += n.bytes
		fmt.Fprintf(b, "| %s | %d | %s |\n", n.what, n.bytes, n.from)
	}
	gib := func(bytes int) float64 { return float64(bytes) * 1e6 / (1 << 30) }
	both := total + pairBytes/2
	fmt.Fprintf(b, "| together | %d | |\n", total)
	fmt.Fprintf(b, millionText, gib(total), machineBytes>>30, fits(total), gib(both), fits(both),
		gib(9*2*channelBytes), ownTopicBytes-channelBytes, talkedBytes, float64(pairObjects)/1e3, strings.TrimSpace(memoryTable))
}

// fits is how many sockets of so many bytes the machine holds, in millions.
func fits(bytes int) float64 { return machineBytes / float64(bytes) / 1e6 }

const millionHead = `
## A million sockets

A process here may hold 20 000 open files, so nobody opened a million. What one takes was measured by itself, on %s, and is the same with a tenth as many but
for a few percent. Bytes of one idle socket that has joined a topic:

| what | bytes | from |
|---|--:|---|
`

const millionText = `
A million sockets take %.1f GiB, and %d GiB hold %.1f million. Where the clients run on the same machine their ends of the connections come on top, which makes
it %.1f GiB, and %.1f million, without what the clients themselves take. Nine more channels for each of a million sockets are %.1f GiB more. A topic of one's own is
%d bytes more, a channel that was talked to %d. State that a plugin keeps is extra, and so is what the kernel keeps of messages that a client has not
taken yet. The kernel's share is the larger of two measurements; the objects in /proc/slabinfo were %.1f KB a pair.

` + "```" + `
$ make memory CHANNELS=100000; make memory
%s
` + "```" + `

All in it is real but the connection, in whose place there is one that only counts: sockets are let in and join by the usual way, each channel gets a push
(push us) and a broadcast that its client answers (answer us). Times are for one channel, on a machine that had other things to do; heap MiB is for all.
`
