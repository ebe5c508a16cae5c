// Package app is the wiring that the binaries share: the configuration file,
// the plugins and the host made from it, the listeners, and the order in which
// they go down.
//
// [Load] reads a file, [Start] makes an [App] of it, [App.Deploy] replaces a plugin's
// module, [App.Close] ends it.
//
// The file is TOML with strict keys: what is not known is refused, with its
// line. Paths in it are relative to it. What a plugin may do is in a table of the
// file or in a manifest, a file of its own, read when the app starts. What outlasts
// the server is in data_dir: the tenants that are suspended, and records of failures.
//
//	[http]
//	addr = ":4000"
//	[internal]
//	addr = "127.0.0.1:4001"
//	[[plugin]]
//	name = "chat"
//	path = "chat.wasm"
//	topics = ["room:*"]
//	[[mount]]
//	path = "/socket"
//	connect = "chat"
package app
