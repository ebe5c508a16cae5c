package abi

// Version is the major version of the contract in SPEC.md. A module names the
// version it speaks by the export [MarkerPrefix] + Version; the host refuses
// every other one.
const Version = 1

// Revision is the newest minor revision of [Version] that this package knows.
// A revision only ever appends: fields, effects, results, optional exports.
const Revision = 0

// Names of the exports and imports, as SPEC.md sections 2 and 6 spell them.
const (
	MarkerPrefix = "aviary_abi_v" // followed by the decimal version
	ExportMarker = "aviary_abi_v1"
	ExportAlloc  = "aviary_alloc"
	ExportMemory = "memory"
	ExportInit   = "_initialize"

	ImportModule       = "aviary"
	ImportLog          = "log"
	ImportPresenceList = "presence_list"
	ImportConfig       = "config"
	ImportPanic        = "panic"

	WASIModule = "wasi_snapshot_preview1"
)

// Callback numbers the entry points of a module. The number is what a request
// carries; [Callback.String] is the name of the export.
type Callback uint8

// The callbacks of SPEC.md section 3.
const (
	CallbackConnect Callback = iota + 1
	CallbackJoin
	CallbackHandleIn
	CallbackHandleInfo
	CallbackHandleOut
	CallbackTerminate
	CallbackCodeChange
	CallbackPresenceFetch

	// NumCallbacks is one past the largest callback number: the size of an
	// array indexed by Callback.
	NumCallbacks = int(CallbackPresenceFetch) + 1
)

// String returns the export's name, "callback?" for an unknown number.
func (c Callback) String() string {
	switch c {
	case CallbackConnect:
		return "connect"
	case CallbackJoin:
		return "join"
	case CallbackHandleIn:
		return "handle_in"
	case CallbackHandleInfo:
		return "handle_info"
	case CallbackHandleOut:
		return "handle_out"
	case CallbackTerminate:
		return "terminate"
	case CallbackCodeChange:
		return "code_change"
	case CallbackPresenceFetch:
		return "presence_fetch"
	}
	return "callback?"
}

// Marker is the value a module's marker export returns (SPEC.md section 2.1).
type Marker uint64

// markerAbsent is the lowest bit of the mask of callbacks to treat as absent.
const markerAbsent = 32

// NewMarker makes the marker of a module that needs revision and wants the
// given callbacks treated as though it did not export them.
func NewMarker(revision uint16, absent ...Callback) Marker {
	m := Marker(revision)
	for _, c := range absent {
		m |= 1 << (markerAbsent + uint(c))
	}
	return m
}

// Revision is the minor revision that the module needs.
func (m Marker) Revision() uint16 { return uint16(m) }

// Absent tells whether c must be treated as though it was not exported.
func (m Marker) Absent(c Callback) bool { return m>>(markerAbsent+uint(c))&1 == 1 }

// InfoKind says where the message of a handle_info request came from.
type InfoKind uint32

// The sources of a handle_info (SPEC.md section 3.4).
const (
	InfoMessage   InfoKind = iota + 1 // send_info effect or server API
	InfoTimer                         // send_after effect
	InfoBroadcast                     // broadcast on a topic the channel subscribed to
)

// Reason says why a channel ends: in a terminate request, in a stop.
type Reason uint32

// The reasons of SPEC.md section 3.6. Only Normal, Shutdown and Error may be
// given by a guest.
const (
	ReasonNormal           Reason = iota + 1 // stop(normal): phx_close
	ReasonShutdown                           // stop(shutdown): phx_close
	ReasonError                              // stop(error), a trap, a malformed response: phx_error
	ReasonLeft                               // the client sent phx_leave
	ReasonClosed                             // the client's connection ended
	ReasonHeartbeatTimeout                   // nothing came from the client for the mount's timeout
	ReasonDuplicateJoin                      // the client joined the topic again on the same socket
	ReasonDraining                           // the server is shutting down
	ReasonDisconnected                       // a disconnect was ordered for the socket
)

// String returns the reason's name in SPEC.md.
func (r Reason) String() string {
	names := [...]string{
		"reason?", "normal", "shutdown", "error", "left", "closed",
		"heartbeat_timeout", "duplicate_join", "draining", "disconnected",
	}
	if int(r) < len(names) {
		return names[r]
	}
	return names[0]
}

// Result is what a callback decided, in a response (SPEC.md section 4.2).
type Result uint8

// The results. Which callback may answer with which is section 4.2's table,
// held by [Response.Check].
const (
	ResultNoReply    Result = iota // nothing to say; handle_out: drop the message
	ResultReply                    // join, connect: accepted; handle_in: phx_reply with status ok or the given one
	ResultReplyError               // join, connect, code_change: refused; handle_in: phx_reply with status error
	ResultPush                     // push event and payload to this channel's client
	ResultStop                     // end the channel for the given reason
	ResultPass                     // handle_out only: deliver the message unchanged
	numResults
)

// String returns the result's name in SPEC.md.
func (r Result) String() string {
	names := [...]string{"no_reply", "reply", "reply_error", "push", "stop", "pass"}
	if int(r) < len(names) {
		return names[r]
	}
	return "result?"
}

// EffectKind numbers the effects of SPEC.md section 5.
type EffectKind uint16

// The effects.
const (
	EffectReply EffectKind = iota + 1
	EffectPush
	EffectBroadcast
	EffectBroadcastFrom
	EffectSendInfo
	EffectSendAfter
	EffectCancel
	EffectSubscribe
	EffectUnsubscribe
	EffectPresenceTrack
	EffectPresenceUpdate
	EffectPresenceUntrack
	EffectPresencePush
	EffectGroupAdd
	EffectGroupRemove
	EffectGroupBroadcast
	EffectDisconnect
	EffectStop
	EffectLog
	EffectIntercept
	numEffects
)

// String returns the effect's name in SPEC.md.
func (k EffectKind) String() string {
	names := [...]string{
		"effect?", "reply", "push", "broadcast", "broadcast_from", "send_info", "send_after",
		"cancel", "subscribe", "unsubscribe", "presence_track", "presence_update",
		"presence_untrack", "presence_push", "group_add", "group_remove",
		"group_broadcast", "disconnect", "stop", "log", "intercept",
	}
	if int(k) < len(names) {
		return names[k]
	}
	return names[0]
}

// Transport says how a client is connected, in a request.
type Transport uint32

// The transports of SPEC.md section 3.1.
const (
	TransportWebSocket Transport = iota + 1
	TransportLongPoll
)

// String returns the transport's name in SPEC.md.
func (t Transport) String() string {
	switch t {
	case TransportWebSocket:
		return "websocket"
	case TransportLongPoll:
		return "longpoll"
	}
	return "transport?"
}

// Level is the severity of a log line, in the log import and the log effect.
type Level uint32

// The levels.
const (
	LevelDebug Level = iota
	LevelInfo
	LevelWarn
	LevelError
)
