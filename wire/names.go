package wire

// Events and topics that mean something to the protocol itself. All are
// ordinary text on the wire: on a joined topic a client may send any of them.
// Source: phoenix socket.ex, channel/server.ex, presence.ex.
const (
	// EventJoin asks to join the frame's topic.
	EventJoin = "phx_join"
	// EventLeave asks to leave it. It is answered ok even for unknown topics.
	EventLeave = "phx_leave"
	// EventReply carries the answer to one ref.
	EventReply = "phx_reply"
	// EventError tells the client that a channel crashed; it will rejoin.
	EventError = "phx_error"
	// EventClose tells the client that a channel ended in order.
	EventClose = "phx_close"
	// EventHeartbeat, on TopicPhoenix, is answered whatever else is going on.
	EventHeartbeat = "heartbeat"
	// EventPresenceState carries the whole presence list of a topic.
	EventPresenceState = "presence_state"
	// EventPresenceDiff carries changes to the presence list of a topic.
	EventPresenceDiff = "presence_diff"
	// EventDisconnect, broadcast on the topic named by a socket's id, closes
	// every socket with that id. It is not sent to clients.
	EventDisconnect = "disconnect"

	// TopicPhoenix is the topic of heartbeats.
	TopicPhoenix = "phoenix"

	// StatusOK and StatusError are the usual values of [Reply.Status].
	StatusOK    = "ok"
	StatusError = "error"
)
