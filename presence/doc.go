// Package presence tracks who is on a topic of this node and says what changes.
//
// Three verbs:
//
//   - [Tracker.Track], [Tracker.Update] and [Tracker.Untrack] change the entries
//     of an [Owner], one channel instance; [Tracker.UntrackAll] ends it.
//   - Config.OnDiff receives each change as a [Diff], the payload of the
//     presence_diff event.
//   - [Tracker.View] shows the whole list of a topic, the payload of the
//     presence_state event.
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
// leaves. Keys come in the order in which they were first tracked.
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
// # No change is lost between a state and the diffs after it
//
// Each topic has one lock. Under it an entry changes and OnDiff runs; under it
// View reads the state and its callback runs. Whatever these two enqueue for one
// client is therefore in the order of the changes: a change is either part of
// the state, or its diff is enqueued after it. A client that was subscribed to
// the topic's diffs before View misses nothing. (A diff enqueued before the state
// is already part of it; phoenix.js applies such a diff again, to no effect.)
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
//
// Track, Update and Untrack take constant time however many members the topic
// has; View and AppendState are linear in them.
package presence
