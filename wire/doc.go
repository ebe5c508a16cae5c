// Package wire turns Phoenix Channels frames into Go structs and back. It is
// pure functions over byte slices: no I/O, no goroutines, no state.
//
// There are two serializers, [V1] and [V2]; [ParseVersion] says which one a
// client speaks. Three verbs:
//
//   - [V1.Decode] and [V2.Decode] split one text frame of a client into a
//     [Message] of views.
//   - AppendReply and AppendPush of either write the frames a server sends.
//     [V2.DecodeBinary], [V2.AppendBinaryReply], [V2.AppendBinaryPush] and
//     [V2.AppendBinaryBroadcast] are for payloads that are bytes.
//   - [Valid] judges JSON that somebody else (a guest, another node) produced
//     before it is pasted, unparsed, into such a frame.
//
// # Format (serializer for vsn ~> 2.0.0, text)
//
// A client frame is a JSON array of at least five elements; further ones are
// ignored. Any element may be any JSON value.
//
//	["1"     , "2" , "room:1" , "new_msg" , {"body":"hi"} ]
//	 join_ref  ref    topic      event       payload
//
// A server frame has exactly five:
//
//	reply      ["1"  ,"2"  ,"room:1","phx_reply",{"status":"ok","response":{}}]
//	push       ["1"  ,null ,"room:1","new_msg"  ,{"body":"hi"}]
//	broadcast  [null ,null ,"room:1","new_msg"  ,{"body":"hi"}]
//	close      ["1"  ,"1"  ,"room:1","phx_close",{}]
//	error      ["1"  ,"1"  ,"room:1","phx_error",{"reason":"channel_crash"}]
//
// # Format (serializer for vsn ~> 2.0.0, binary)
//
// A kind, one length byte for each field, the fields, and whatever is left is
// the payload. Lengths are in bytes of UTF-8, so a field has at most
// [MaxBinaryField]. A client frame is a push:
//
//	00    02 03 05 05  12        123  topic  event  65 66 67
//	kind  lengths      join_ref  ref  topic  event  payload
//
// A server frame is one of three, and its push has no ref:
//
//	push       00  02 05 05     12       topic  event  65 66 67
//	reply      01  02 03 05 02  12  123  topic  ok     65 66 67
//	broadcast  02  05 05                 topic  event  65 66 67
//
// There is no null. A null ref is written as no bytes, and no bytes are read as
// the string "", which is the join ref of no channel. What a message carries
// decides its kind of frame: a binary push may get a text reply, and the reverse.
//
// Supabase's realtime-js asks for 2.0.0 as well, and sends each of its broadcasts
// in a kind of frame that Phoenix does not know, a user broadcast. There the
// encoding of the payload, which is 0 for raw bytes and 1 for JSON, follows the
// lengths; and metadata, JSON or no bytes, follows the event:
//
//	03    01 01 05 05 07  01        1         2    topic  shout  {"m":1}   {"n":1}
//	kind  lengths         encoding  join_ref  ref  topic  event  metadata  payload
//
// It is read as the text that the same client sends where it speaks 1.0.0, with
// the metadata added:
//
//	["1","2","topic","broadcast",{"type":"broadcast","event":"shout","payload":{"n":1},"meta":{"m":1}}]
//
// No bytes of metadata add nothing, and no bytes of payload are {}. Raw bytes are
// refused. Nothing is written in this kind: the client reads text as well.
//
// # Format (serializer for vsn ~> 1.0.0)
//
// A client frame is a JSON object with four keys, in any order, and perhaps a
// fifth, join_ref. Any value may be any JSON value, further keys are ignored, and
// of equal keys the first counts.
//
//	{"topic":"room:1","event":"new_msg","payload":{"body":"hi"},"ref":"2","join_ref":"1"}
//
// A server frame has exactly four, so it never says which join it belongs to:
//
//	reply      {"topic":"room:1","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":"2"}
//	push       {"topic":"room:1","event":"new_msg","payload":{"body":"hi"},"ref":null}
//	broadcast  the same as a push
//	close      {"topic":"room:1","event":"phx_close","payload":{},"ref":"1"}
//	error      {"topic":"room:1","event":"phx_error","payload":{"reason":"channel_crash"},"ref":"1"}
//
// Source: phoenix v1_json_serializer.ex, v2_json_serializer.ex and socket.ex; the
// rules are restated in the project's Phoenix specification, sections 1.2, 1.3,
// 1.6 and 1.8. Of user broadcasts: realtime-js lib/serializer.js.
//
// # What counts as JSON
//
// One value of RFC 8259 in valid UTF-8, nested at most [MaxDepth] deep, with
// white space allowed around it. That is what encoding/json.Valid accepts, less
// invalid UTF-8 and less the depth between [MaxDepth] and its own 10 000.
// Payloads are never parsed, so numbers keep their digits and objects keep
// duplicate keys.
//
// The structure is checked by sonic, whose Valid is laxer than RFC 8259: it lets
// raw control characters, unknown escapes (\x) and malformed \u escapes pass
// inside strings. The scanner that splits the frame has to walk every string
// anyway, and refuses those. sonic also reads behind texts shorter than four
// bytes, which therefore go to encoding/json. UTF-8 is checked because a text frame with one bad
// byte makes the receiving browser close its connection (RFC 6455 section 8.1):
// unchecked, one guest could disconnect every subscriber of a topic.
//
// # Concurrency and ownership
//
// Everything is safe for concurrent use on different arguments. No function
// blocks or keeps a reference to its arguments, except that a decoded [Message]
// refers to the frame it came from.
package wire
