// Package pubsub is the registry of who listens to which topic on this node,
// and the way a message reaches all of them.
//
// Three verbs:
//
//   - [PubSub.Subscribe] adds a [Subscriber] to a topic; [Subscription.Cancel]
//     takes it off again.
//   - [PubSub.Broadcast] hands one message to every subscriber of a topic, here
//     and, through an [Adapter], on other nodes.
//   - [PubSub.BroadcastFrom] does the same but skips the sender.
//
// The message type M is the caller's: the package never looks inside, so one
// value encoded once can be shared by all subscribers. Delivery is at most once:
// no acknowledgement, no replay. Source: Phoenix.PubSub and phoenix
// channel/server.ex; the project's Phoenix specification, section 1.8.
//
// # Order and completeness
//
// Each topic has one lock, held while a message is handed to its subscribers.
// From that follow the guarantees:
//
//   - All subscribers of a topic see its messages in the same order. Topics are
//     independent of each other, and so are nodes: two messages broadcast on
//     two nodes may arrive in different orders on each.
//   - A subscription receives exactly once every message whose broadcast began
//     after Subscribe returned and ended before Cancel was called.
//   - Nothing is delivered between a subscription's start and the end of its
//     then callback. A join enqueues its reply there; hence no message of the
//     topic precedes the reply, and none after it is lost.
//   - No Deliver runs, or will run, once Cancel has returned.
//
// # Locks
//
//	shard lock   topic name -> topic; never held while anything else is called
//	topic lock   subscribers of one topic; held while Deliver, then and
//	             Adapter.Interest run; taken before the shard lock
//
// Everything is safe for concurrent use. What runs under a topic's lock must
// return quickly and must not call back into the PubSub: on the same topic that
// deadlocks at once, on another one it may.
//
// # Layout
//
//	PubSub
//	  shards [64]            by hash of the topic, each padded to its own cache lines
//	    map topic -> *topic  present exactly while it has subscribers
//	      entries []{subscriber, *Subscription{topic, index}}
//
// A subscription costs 40 bytes and the slack of the slice; cancelling one swaps
// the last entry into its place.
package pubsub
