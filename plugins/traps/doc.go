// Package traps keeps the records of failed callbacks as files, so that they can be
// looked at and run again.
//
//	plugins.Config.OnTrap ── Store.Keeper ──> DIR/TIME-PLUGIN.json ── Decode ──> Record
//
// A record is JSON. What users have sent is in it only where the operator wants that:
// payload, state, parameters, headers and settings are left out otherwise, and
// their sizes kept.
//
// The directory is the owner's alone (mode 0700, files 0600), and bounded: 200 files,
// 64 MiB, and so many of a plugin in a minute. Where there is no room, the oldest of the
// plugin goes that takes most of it, so that none pushes out those of others. Files that
// are no records are not touched.
//
// A Store may be used from any goroutine. It writes while the callback that failed is
// not answered yet, since the log line of the failure names the file.
package traps
