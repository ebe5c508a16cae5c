// Package sdk holds what `aviary new` needs, embedded: the SDK of each language with
// its template of a project, and what all projects have in common.
//
// The verbs are [Languages], [Find] and [Language.Write].
//
//	sdk/LANG/language.json   tools, files of the library, how to build: a [Language]
//	sdk/LANG/template/       files of a new project
//	sdk/LANG/...             the library; Language.Library says which files a project gets
//	sdk/project/             files that projects in all languages have
//	sdk/testdata/tests/      cases for `aviary test`, the same for all languages
//
// In names and texts of templates, and in language.json, {{name}} is the name of the
// project and {{crate}} the same with _ in place of -. A name loses the suffix .tmpl, and
// begins with a dot where it begins with "dot.". Templates and cases are the same
// program in every language: a scripted session with it gives the same bytes
// (session_test.go).
//
// All functions may be called from any goroutine.
package sdk
