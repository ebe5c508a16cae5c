// Package hostile has modules that nobody should run, for tests of what runs them:
// guests that attack their host, and code on which a compiler would spend minutes or
// gigabytes.
//
//   - [Corpus] reads plugins/testdata/hostile: guests whose sources are short texts.
//     Each answers like a good guest until a client sends it the event "attack". Its
//     README says of each what it does, what stops it and with which error; the tests
//     hold the host to that page.
//   - [Bombs] are shapes of modules that are made in any size. They would be megabytes
//     if they were kept.
package hostile
