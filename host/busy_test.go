package host

import (
	"testing"
	"time"
)

// TestBusyTurns: who has worked for long needs a turn, and has it until the end of the run.
func TestBusyTurns(t *testing.T) {
	turns := make(busyTurns, 1)
	long, soon := time.Now().Add(-time.Hour), time.Now().Add(time.Hour) // however slow this machine is
	work := func(r *busyRun, messages int) {
		for range messages {
			r.step()
		}
	}
	young := busyRun{turns: turns}
	work(&young, busyLook)
	short := busyRun{turns: turns, since: long, looked: soon}
	work(&short, busyLook-1)
	slow := busyRun{turns: turns, since: long, looked: long}
	work(&slow, busyLook)
	if young.holds || short.holds || slow.holds || len(turns) != 0 {
		t.Fatal("a run that is short or slow takes a turn")
	}
	first := busyRun{turns: turns, since: long, looked: soon}
	work(&first, busyLook)
	if !first.holds || len(turns) != 1 {
		t.Fatal("a long run takes no turn")
	}
	second := busyRun{turns: turns, since: long, looked: soon}
	work(&second, busyLook) // returns, though nobody gives the turn back
	if second.holds {
		t.Error("two runs have one turn")
	}
	second.end()
	if len(turns) != 1 {
		t.Error("a run without a turn gives one back")
	}
	first.end()
	first.end()
	if len(turns) != 0 {
		t.Error("the turn is not given back")
	}
}

// TestBusyTurnIsHandedOn: to one that waits, when the run is over.
func TestBusyTurnIsHandedOn(t *testing.T) {
	turns, got := make(busyTurns, 1), make(chan bool)
	turns <- struct{}{}
	go func() {
		r := busyRun{turns: turns}
		for !r.take() {
		}
		got <- len(turns) == 1
		<-turns
		close(got)
	}()
	<-turns
	if !<-got {
		t.Error("the turn was not taken")
	}
	<-got
}

func TestBusyStepDoesNotAllocate(t *testing.T) {
	r := busyRun{turns: newBusyTurns()}
	if n := testing.AllocsPerRun(1000, r.step); n != 0 {
		t.Errorf("%v allocations", n)
	}
	r.end()
}
