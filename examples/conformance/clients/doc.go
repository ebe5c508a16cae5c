// Package clients runs client libraries that other people wrote against the
// conformance fixture: on each a small program that prints what happens to it, line
// by line, as its story in clients_test.go has it.
//
// A program is told by its environment where the server is (AVIARY_URL, the socket
// without /websocket), which serializer to ask for (AVIARY_VSN) and what to put into
// its topics so that they are its own (AVIARY_NAME). When its input ends it leaves,
// says so, and ends. The libraries are installed as package
// host/hosttest/tools says, in the versions of package.json, pom.xml and
// requirements.txt.
package clients
