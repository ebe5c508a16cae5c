// Package presence tracks who is on a topic of this node and says what changes, and
// holds what several nodes have in common.
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
//
// # Several nodes
//
// A [State] is the set of items that several nodes, its replicas, hold in common.
// It is pure: no lock, no clock, no network. [State.Add], [State.Update] and
// [State.Remove] change a replica's own items, [State.Since] tells of such changes
// and [State.Merge] takes in what others tell. Two rules make the rest follow:
//
//   - Only its owner changes an item. Each change of a replica (an item comes, one
//     goes, or both) has a number, its clock, from 1 without gaps; an item is named
//     by the replica and the clock that brought it, its [Tag].
//   - Of each replica a state keeps which changes it knows, its cover. It holds
//     exactly those items that these changes brought and did not remove. So an item
//     whose change is covered and which is not there is gone: what is removed leaves
//     no trace but the cover.
//
// A cover is a clock up to which all is known, the context, and spans beyond gaps,
// the cloud: deltas may be lost, come late, twice and in any order. A change that
// came may have removed an item whose own change did not. That clock is remembered
// beside the cover until the cover reaches it. It must not be put into the cover:
// the change that it names removed something as well, perhaps, and nothing would
// ever tell of that again.
//
//	changes of a      1   2   3   4   5         b has seen 1 and 5:
//	item that comes   ann     bob ann zoe       context 1, cloud 5-5, gone 4
//	item that goes        1       3   4         shows the items 1 and 5
//
// When 2 to 4 arrive, item 1 goes, and item 4 never comes.
//
// A delta tells of changes after some clock, or of everything known. It says what
// they brought that is still there, and which items of earlier changes they removed.
// A state remembers as much of its own latest changes as takes to tell a peer that is
// a little behind. [State.Clocks] says how far a state is; [State.Owed] and
// [State.Missing] answer with what it lacks. A node sends its Since to all from time to
// time, and its Clocks; whoever hears those merges them and sends back its Owed, and
// its Missing where the owner of what is lacking is down.
//
// A node that starts again is another replica of the same name with a higher
// incarnation, and whoever hears of it drops the lower one. [State.Down] hides what a
// node has that cannot be heard, in this state only; [State.Retire] drops it in all
// and refuses it from then on: the name has a floor, the lowest incarnation that is
// taken. A node that lives and hears of its own floor carries on by [State.Renew].
// Floors of names without a replica are bounded to 4096: each has an age, higher than
// those that its state knew of, and the lowest go first, everywhere the same ones. So
// a name is remembered until 4096 others were retired after it; then a delta that old
// could bring its items back, until it is called down and retired again.
//
// What a state holds besides items is bounded, too: 1024 spans and 4096 removed
// clocks for each replica. What does not fit is taken for lost, and asked for again.
//
// # Deltas as bytes
//
// Numbers are unsigned LEB128 in its shortest form, strings their length in bytes and
// UTF-8. Clocks are written as distances.
//
//	delta    01 | kind: 00 changes, 01 clocks | count, sections | count, floors
//	section  name | incarnation | from | to - from | count, spans | count, removed | count, items
//	span     first - previous last - 2 | last - first        in order, after to
//	removed  clock - previous - 1                            in order, after 0
//	item     clock - previous - 1 | topic | key | ref | previous ref | meta     in order, after from
//	floor    name | lowest incarnation | age
//
// A section covers the changes after from, up to to, and the spans. Sections and floors
// are in the order of their names, and no name is in both. Any delta has exactly one such
// form; [DecodeDelta] refuses all others, and any delta that no state can have made.
// Clocks are at most 1<<53-1, incarnations 1<<63-2, metas [MaxMetaDepth] deep and 1 MiB
// long. The form in JSON says the same, for people: [Delta.AppendJSON].
package presence
