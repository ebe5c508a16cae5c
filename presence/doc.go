// Package presence tracks who is on a topic of this node and says what changes.
//
// Three verbs:
//
//   - [Tracker.Track], [Tracker.Update] and [Tracker.Untrack] change the entries
//     of an [Owner], one channel instance; [Tracker.UntrackAll] ends it.
//   - Config.OnDiff receives changes as a [Diff], the payload of the
//     presence_diff event: each by itself, or all of a topic within Config.Tick.
//   - [Tracker.View] shows the whole list of a topic, the payload of the
//     presence_state event, in pages of Config.Page. [Tracker.AppendState] and
//     [Tracker.AppendPresence] read it, or one key of it.
//
// An entry is an owner, a topic and a key; the same key tracked by two owners (a
// user with two tabs) has two metas. An entry with an empty key is anonymous: it
// counts in [Tracker.Count] but appears in no diff and no state.
// Source: phoenix presence.ex and phoenix_pubsub tracker.ex; the project's
// Phoenix specification, sections 3.1 and 3.3.
//
// # Format
//
//	state  {"ann":{"metas":[META,META]},"bob":{"metas":[META]}}
//	diff   {"joins":{"ann":{"metas":[META]}},"leaves":{}}
//	META   {"device":"phone","phx_ref":"GLmfa3d6yQABZ4sT","phx_ref_prev":"GLmfa3d6x2wBZ4sT"}
//
// Both maps of a diff are always there. phx_ref names one version of one meta
// and is never used again; phx_ref_prev, only after an update, names the version
// before. An update is one diff with the new meta in joins and the old one in
// leaves. Keys come in the order in which they were first tracked, the metas of a
// key in that of their versions, which is what phoenix.js makes of the diffs.
//
// A phx_ref or phx_ref_prev at the top level of the caller's meta is removed.
// Phoenix leaves it in and sends an object with two such keys.
//
// A ref is 12 bytes, in the URL-safe Base64 of RFC 4648 without padding 16
// characters:
//
//	time, ns since 1970, big-endian, strictly increasing | random, per tracker
//	8 bytes                                              | 4 bytes
//
// # What is told
//
// Where changes are collected, the first of a topic begins a tick, at whose end what
// is left of all of them is one diff. What has come and gone within it is not
// mentioned: an entry that left again, a version that was replaced. But a list read
// meanwhile, which a client may have got, has shown what is not told of yet; of that
// nothing is left out, or the client would keep it for ever. Reads never wait: they have
// all that was written before.
//
// # No change is lost between a state and the diffs after it
//
// Each topic has one lock. Under it an entry changes and OnDiff runs; under it
// View reads the list and its callback runs. So a change is either part of the list, or
// its diff is enqueued for a client after it. A client that was subscribed to
// the topic's diffs before View misses nothing. What has been written and not told of yet
// comes in the next diff, and View leaves it to that, but for what the client's own channel
// has written. (That comes twice; phoenix.js applies the second to no effect.)
//
// Of a list in pages, the second and all after it are read at later ticks, under the
// lock as well. Each has what is true then: of what has changed since the first page
// the client has been told, and of a key that it does not know it ignores the leaves. Keys
// that came later are left to the diffs.
//
// # Concurrency
//
// Everything is safe for concurrent use; topics are independent. OnDiff and
// View's callback run with the topic's lock held: they must only enqueue, and
// must not call back into the tracker. Locks they take rank below the tracker's,
// so never call the tracker while holding one of those: if OnDiff broadcasts
// through a pubsub, call View after Subscribe returned, not in its callback.
//
//	topic lock    entries of one topic; held while OnDiff and View's callback run
//	  table lock  topic name -> topic; nothing is called under it
//	  owner lock  owner -> its entries; nothing is called under it
//	  ticks lock  topics that wait for the next tick; nothing is called under it
//
// One timer serves all topics of a tracker, and runs while one of them waits; it calls
// OnDiff and View's callback on a goroutine of its own. [Tracker.Close] ends it.
//
// Track, Update and Untrack take constant time however many members the topic
// has, a tick is linear in the changes; a page is linear in its length, and
// AppendState in the members.
package presence
