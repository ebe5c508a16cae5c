// Package group keeps named sets of topics, so that one broadcast reaches all of
// them: the topics of a room with several parts, say.
//
// Verbs:
//
//   - [Groups.Create] and [Groups.Delete] are about a group, [Groups.Add] and
//     [Groups.Remove] about a topic in it. All four tell what they did not find.
//   - [Groups.List] and [Groups.Topics] show what there is.
//   - [Groups.Broadcast] calls a function with each topic of a group, once.
//   - [Groups.Hold], then [Groups.Keep] or [Groups.Drop], are Add in two steps, for
//     who has to know first that it will not fail.
//
// Members are topics, not sockets or subscribers: who listens to a topic at the
// time of the broadcast gets it. Groups are those of this node, are held in memory,
// and go with the process.
// Source: the module group of beryl, as the project's reference of it has it
// (section 5.2, cases 37 to 47).
//
// # How long a group is there
//
// One that was created stays until it is deleted, also without topics. One that
// Keep made goes with its last topic: nobody has to delete it, who only ever adds
// and removes.
//
// # Order
//
// The topics of a group are in the order in which they were added; one that is
// removed and added again is the last. Adding one that is there changes nothing.
// Groups are listed in the order of their names, as bytes.
//
// # Bounds
//
// A name and a topic are UTF-8 of 1 to [MaxName] bytes. Everything else is up to the
// [Quota] that New is given: it is asked before a group or a topic is taken in, and
// told when one is gone.
//
// # Concurrency
//
// Everything is safe for concurrent use. There is one lock: groups change seldom,
// and a broadcast holds it only to find the list of topics. Lists are never changed
// once they were handed out, so a broadcast goes through the topics as they were
// when it began.
package group
