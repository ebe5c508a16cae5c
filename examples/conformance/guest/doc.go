// Command guest is the channel module of the conformance suite: what the fixture
// of Phoenix's own behaviour tests does, event by event.
//
// Topics: room:*, exact and phoenix are the Room channel, pres:* is the Presence
// channel, group:* puts its topics into groups, custom:* answers joins by their action, foo* and food* by their
// pattern, realtime:* is what Supabase's clients join. What cannot be said in the
// ABI, such as a callback result of the wrong type, is a panic: both end in a
// crash.
package main
