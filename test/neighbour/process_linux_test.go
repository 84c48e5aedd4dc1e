package neighbour

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// orphanVariable makes this test binary a process that starts a program and waits to be killed.
const orphanVariable = "FAIRLEAD_NEIGHBOUR_TEST_ORPHAN"

func TestMain(m *testing.M) {
	if os.Getenv(orphanVariable) != "" {
		os.Exit(orphan())
	}
	os.Exit(Main(m))
}

func orphan() int {
	p, err := StartProcess(context.Background(), shell("orphan", "sleep 1000"))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(p.Pid(), p.Dir())
	_ = p.Wait(context.Background())
	return 1
}

// shell is a command that runs a line of shell. The line runs in a child where it is followed by another.
func shell(name, line string) Command {
	return Command{Name: name, Path: "/bin/sh", Args: []string{"-c", line}}
}

func start(t *testing.T, command Command) *Process {
	t.Helper()
	p, err := StartProcess(t.Context(), command)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// awaitLog waits until a program has written just that.
func awaitLog(t *testing.T, p *Process, want string) {
	t.Helper()
	Eventually(t, "the program's output", func() bool {
		log, err := os.ReadFile(p.LogPath())
		return err == nil && string(log) == want
	})
}

func TestProcessLives(t *testing.T) {
	p := start(t, shell("lives", "echo born; exec sleep 1000"))
	awaitLog(t, p, "born\n")
	first := p.Pid()
	if first == 0 || !alive(first) {
		t.Fatalf("process %d is not alive after Start", first)
	}
	if err := p.Start(t.Context()); err == nil {
		t.Error("a second Start of a running program succeeded")
	}
	p.Kill()
	p.Kill()
	if alive(first) || p.Pid() != 0 {
		t.Errorf("process %d is alive, Pid() = %d after Kill", first, p.Pid())
	}
	if err := p.Wait(t.Context()); err == nil {
		t.Error("Wait reports success for a killed program")
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if second := p.Pid(); second == first || !alive(second) {
		t.Errorf("second life has process id %d, the first had %d", second, first)
	}
	awaitLog(t, p, "born\nborn\n")
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	if err := p.Stop(); err != nil {
		t.Errorf("stopping again: %v", err)
	}
	for name, err := range map[string]error{
		"Pause":  p.Pause(),
		"Resume": p.Resume(),
		"Signal": p.Signal(syscall.SIGHUP),
	} {
		if !errors.Is(err, ErrNotRunning) {
			t.Errorf("%s of a stopped program: %v, want %v", name, err, ErrNotRunning)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(p.Dir()); !os.IsNotExist(err) {
		t.Errorf("the folder after Close: %v", err)
	}
}

func TestStopIsOrderly(t *testing.T) {
	command := shell("orderly", `trap 'echo bye; exit 0' USR1; echo ready; while :; do sleep 0.01; done`)
	command.StopSignal = syscall.SIGUSR1 // a shell cannot trap SIGINT where the tests themselves run in the background of one
	p := start(t, command)
	awaitLog(t, p, "ready\n")
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(t.Context()); err != nil {
		t.Errorf("exit status: %v", err)
	}
	if log := tail(p.LogPath()); !strings.HasSuffix(log, "bye") {
		t.Errorf("log %q does not end with the trap's word", log)
	}
}

func TestStartTellsWhyItFailed(t *testing.T) {
	ctx, giveUp := context.WithCancelCause(t.Context())
	defer giveUp(nil)
	f := func(name string, command Command, wants ...string) {
		t.Helper()
		command.Name = "failing"
		p, err := StartProcess(ctx, command)
		if err == nil {
			_ = p.Close()
			t.Errorf("%s: started", name)
			return
		}
		for _, want := range wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %q lacks %q", name, err, want)
			}
		}
	}
	never := func(context.Context) error { return errors.New("nobody answers") }

	ends := shell("", "echo cannot read my file; exit 3")
	ends.Ready = never
	f("ends at once", ends, "starting failing", "exit status 3", "cannot read my file")

	silent := shell("", "exit 0")
	silent.Ready = never
	f("says nothing", silent, "ended before it was ready", "its log is empty")

	f("does not exist", Command{Path: "/nonexistent/program"}, "starting failing", "/nonexistent/program")

	written := filepath.Join(t.TempDir(), "written")
	hangs := shell("", `echo thinking; : >"$WRITTEN"; exec sleep 1000`)
	hangs.Env = []string{"WRITTEN=" + written}
	hangs.Ready = func(ctx context.Context) error {
		if _, err := os.Stat(written); err == nil {
			giveUp(errors.New("no patience left"))
		}
		return never(ctx)
	}
	f("is never ready", hangs, "starting failing", "no patience left", "nobody answers", "thinking")
}

func TestKillReachesChildrenThatLeftTheGroup(t *testing.T) {
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Fatal(err) // part of util-linux, which Debian always has
	}
	p := start(t, shell("family", "setsid sleep 1000 & sleep 1000; exit"))
	var children []int
	Eventually(t, "two children", func() bool {
		children = descendants(p.Pid())
		return len(children) == 2
	})
	p.Kill()
	for _, child := range children {
		if alive(child) {
			t.Errorf("child %d survived", child)
		}
	}
}

func TestPause(t *testing.T) {
	p := start(t, shell("pause", "exec sleep 1000"))
	state := func() byte {
		s, err := readStat(p.Pid())
		if err != nil {
			t.Fatal(err)
		}
		return s.state
	}
	if err := p.Pause(); err != nil {
		t.Fatal(err)
	}
	Eventually(t, "the program to be stopped", func() bool { return state() == 'T' })
	if err := p.Resume(); err != nil {
		t.Fatal(err)
	}
	Eventually(t, "the program to go on", func() bool { return state() != 'T' })
}

func TestCPUTimeCountsChildren(t *testing.T) {
	p := start(t, shell("busy", "while :; do :; done & wait; exit"))
	const enough = 50 * time.Millisecond
	Eventually(t, "the child's processor time to show", func() bool {
		used, err := p.CPUTime()
		if err != nil {
			t.Fatal(err)
		}
		return used >= enough
	})
	p.Kill()
	if _, err := p.CPUTime(); !errors.Is(err, ErrNotRunning) {
		t.Errorf("processor time of a dead program: %v", err)
	}
}

func TestProgramDiesWithItsStarter(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // other test binaries remove abandoned folders too
	starter := exec.Command(os.Args[0])
	starter.Env = append(os.Environ(), orphanVariable+"=1")
	output, err := starter.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := starter.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	var dir string
	if _, err := fmt.Sscan(line, &pid, &dir); err != nil {
		t.Fatalf("starter wrote %q: %v", line, err)
	}
	if !alive(pid) {
		t.Fatalf("process %d is not alive before its starter's death", pid)
	}
	if err := starter.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = starter.Wait() // reports the kill
	Eventually(t, "the program to die", func() bool { return !alive(pid) })

	if _, err := os.Stat(dir); err != nil {
		t.Fatalf("the folder of the killed starter: %v", err)
	}
	next, err := newFolder("next")
	if err != nil {
		t.Fatal(err)
	}
	defer next.remove()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder of the killed starter is still there: %v", err)
	}
	removeAbandoned(os.TempDir())
	if _, err := os.Stat(next.path); err != nil {
		t.Errorf("a folder in use was removed: %v", err)
	}
}
