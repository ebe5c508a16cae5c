package presence

import (
	"os"
	"strings"
	"testing"
)

// The numbered cases of presence trackers and where each is tested. P is Phoenix's list
// (its presence.ex, tracker.ex and presence.js), B that of beryl's presence actor.
//
// Not here: P 151-159 and B 8-10, 17-20 and 23-25 are about replicas. B 14 has no
// counterpart, as refs name nothing to untrack: an entry is an owner, a topic and a key. Nor
// has B 32: a change is made when Track returns, there is no acknowledgement to be late.
func cases() []struct{ cases, file, test string } {
	return []struct{ cases, file, test string }{
		{"B1, B12, B16, P118", "tracker_test.go", "TestTrackJoinsAndUntrackLeavesWithTheSameRef"},
		{"B2, P117", "tracker_test.go", "TestMetasOfAKeyLoseTheRightOne"},
		{"B3, B4, B29", "tracker_test.go", "TestUntrackAllIsOneDiffPerTopic"},
		{"B5, B7, B16", "tick_test.go", "TestReadsDoNotWaitForTheTick"},
		{"B6, B26, B31", "cases_test.go", "TestTopicsDoNotWaitForEachOther"},
		{"B11", "hammer_test.go", "TestHammerStateIsTheSumOfTheDiffsBeforeIt"},
		{"B13", "hammer_test.go", "TestHammerRefsAreUnique"},
		{"B15", "tracker_test.go", "TestAnonymousEntriesAreCountedOnly"},
		{"B21, P160", "tracker_test.go", "TestRefusalsChangeNothing"},
		{"B22", "tick_test.go", "TestChangesOfATick"},
		{"B27", "../host/dialogue_test.go", "TestJoinEffectsFollowItsReply"},
		{"B28", "../examples/conformance/presence_test.go", "Test118_DiffsOfASecondClient"},
		{"B30, P122", "tracker_test.go", "TestUpdateIsOneDiffAndKeepsThePreviousRef"},
		{"B33", "meta_test.go", "TestCleanMetaRemovesTheServersKeys"},
		{"P116", "../examples/conformance/presence_test.go", "Test116_StateListsWhoIsThere"},
		{"P117", "../examples/conformance/presence_test.go", "Test117_OneKeyTwoMetas"},
		{"P118", "../examples/conformance/presence_test.go", "Test118_CrashLeaves"},
		{"P119", "../examples/conformance/presence_test.go", "Test119_FetchStandsBesideTheMetas"},
		{"P119", "extra_test.go", "TestExtra"},
		{"P120, P121", "../examples/conformance/presence_test.go", "Test120_121_Untrack"},
		{"P122", "../examples/conformance/presence_test.go", "Test122_UpdateHasBothMaps"},
		{"P123", "../examples/conformance/presence_test.go", "Test123_UpdateOfWhatIsNotTracked"},
		{"P124", "tick_test.go", "TestPropertyListAndDiffsAddUp"},
		{"P125-P134, P145", "../examples/conformance/phoenixjs_test.go", "TestPhoenixJSPresence"},
		{"P145", "../examples/conformance/phoenixjs_test.go", "TestPhoenixJSChurn"},
		{"P160", "tracker_test.go", "TestUntrackFromEveryPlaceOfTheOwnersList"},
	}
}

// TestCasesAreWhereTheyAreSaidToBe: the index above names what there is.
func TestCasesAreWhereTheyAreSaidToBe(t *testing.T) {
	for _, c := range cases() {
		text, err := os.ReadFile(c.file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "\nfunc "+c.test+"(t *testing.T)") {
			t.Errorf("%s: no %s in %s", c.cases, c.test, c.file)
		}
	}
}

// TestTopicsDoNotWaitForEachOther: while clients of one topic are being told, others are
// read and written.
func TestTopicsDoNotWaitForEachOther(t *testing.T) {
	telling, told := make(chan struct{}), make(chan struct{})
	tr := NewTracker(Config{OnDiff: func(topic string, _ *Diff) {
		if topic == "busy" {
			close(telling)
			<-told
		}
	}})
	done := make(chan struct{})
	go func() {
		_, _ = tr.Track(Track{Owner: 1, Topic: "busy", Key: "ann"}) // cannot fail
		close(done)
	}()
	<-telling
	track(t, tr, 2, "t", "ann", `{}`)
	if got := keyOrder(string(tr.AppendState(nil, "t"))); len(got) != 1 || tr.Count("t") != 1 || tr.Owned(1) != 1 {
		t.Errorf("%q on the other topic, %d of the busy one's owner", got, tr.Owned(1))
	}
	tr.UntrackAll(2)
	close(told)
	<-done
	if n := tr.Count("busy"); n != 1 {
		t.Errorf("count %d, want 1", n)
	}
}
