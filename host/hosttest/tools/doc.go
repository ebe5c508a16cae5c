// Package tools finds what some tests need from outside the module: Node, Java,
// Python, packages of exact versions for each, Chromium. What is missing skips the
// test on a developer's machine and fails it where the environment variable CI is
// set, so that no pipeline goes green for want of a tool.
//
// Environment:
//
//	CI                    non-empty: a missing tool fails the test
//	AVIARY_NODE_MODULES   a node_modules directory to use instead of installing
//	CHROMIUM              path of the browser
//	AVIARY_SHOTS          a directory to keep screenshots in
package tools
