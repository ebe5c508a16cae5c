// Package origin decides from which web pages clients may connect. A browser
// lets any page open a WebSocket to any server and only says, in the Origin
// header, which page it was; what is not a browser sends no Origin, or what it
// likes.
//
// [Parse] makes a [Policy] of a configuration, [Policy.Allows] is asked before
// each upgrade. Source: phoenix transport.ex, check_origin/5; RFC 6454 for the
// form of an origin; RFC 6455 section 10.2.
//
// # What a configuration may say
//
//	any                        every origin, also "null" and nonsense
//	same-host                  the host of the request's Host header; any scheme and port
//	same-origin                scheme, host and port of the request
//
//	https://example.com        scheme, host and port; without one that of the scheme
//	https://example.com:8443
//	//example.com              any scheme and port
//	//example.com:8443         any scheme
//	https://*.example.com      example.com and every name below it
//	//*.example.com
//	capacitor://localhost      an app; its scheme has no port
//
// any stands alone. A list may hold all the others: one that fits is enough.
//
// same-host and same-origin believe the Host header. That is right against other
// pages, which cannot set it, but not against a name that its owner lets point
// to this server (DNS rebinding): a server that trusts whoever reaches it, such
// as one inside a private network, should list its names.
//
// # How origins are compared
//
// An Origin is scheme://host or scheme://host:port and nothing else: no user, no
// path, not several. Names are compared without regard to case and to one
// trailing dot, IP addresses as addresses, ports after the scheme's own (http
// 80, https 443) has been filled in. Names outside ASCII are in the form that
// browsers send (xn--). Whatever is not of that form is refused unless the
// policy is any.
//
// A Policy is never changed and safe for concurrent use.
package origin
