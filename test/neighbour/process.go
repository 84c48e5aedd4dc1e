package neighbour

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

const (
	// startTimeout bounds a Start whose context has no deadline. A JVM on a busy machine with two cores may need two minutes.
	startTimeout = 4 * time.Minute

	// stopGrace is how long Stop waits for a program that was asked to end, before it kills it.
	stopGrace = 30 * time.Second

	// killTimeout bounds the wait for killed children. The kernel needs milliseconds.
	killTimeout = 10 * time.Second

	// readyTimeout bounds one question whether a program is ready, so that one that hangs does not hide that the program has died.
	readyTimeout = 5 * time.Second
)

// A Process is a program with a log, a temporary folder and any number of lives. Its methods may be called from any goroutine, but Start,
// Stop, Kill and Close wait for each other.
type Process struct {
	command Command
	folder  *folder

	changing sync.Mutex // held by whoever starts or ends a life
	mu       sync.Mutex
	now      *life // nil before the first start
}

// A life is one run of the program.
type life struct {
	cmd    *exec.Cmd
	ended  chan struct{}
	result error // of Wait; valid once ended is closed
}

// StartProcess runs a command and returns when it is ready. The context bounds the start only, to two minutes where it has no deadline
// itself. When the start fails, the error holds the end of the program's log and nothing is left behind.
func StartProcess(ctx context.Context, command Command) (*Process, error) {
	dir, err := newFolder(command.Name)
	if err != nil {
		return nil, err
	}
	return startIn(ctx, dir, command)
}

// startIn takes over the folder.
func startIn(ctx context.Context, dir *folder, command Command) (*Process, error) {
	p := &Process{command: command, folder: dir}
	if err := p.Start(ctx); err != nil {
		_ = p.Close()
		return nil, err
	}
	return p, nil
}

// Start runs the program again after Stop, Kill or its own end, and returns when it is ready.
func (p *Process) Start(ctx context.Context) error {
	p.changing.Lock()
	defer p.changing.Unlock()
	if p.running() != nil {
		return fmt.Errorf("starting %s: already running", p.command.Name)
	}
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, startTimeout)
		defer cancel()
	}
	l, err := p.launch()
	if err != nil {
		return fmt.Errorf("starting %s: %w", p.command.Name, err)
	}
	p.mu.Lock()
	p.now = l
	p.mu.Unlock()
	if err := p.awaitReady(ctx, l); err != nil {
		l.kill()
		return fmt.Errorf("starting %s: %w\n%s", p.command.Name, err, tail(p.LogPath()))
	}
	return nil
}

func (p *Process) launch() (*life, error) {
	log, err := os.OpenFile(p.LogPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(p.command.Path, p.command.Args...)
	cmd.Env = append(os.Environ(), p.command.Env...)
	cmd.Dir = p.command.Dir
	if cmd.Dir == "" {
		cmd.Dir = p.folder.path
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = processAttributes(p.command.credential)
	l := &life{cmd: cmd, ended: make(chan struct{})}
	started := make(chan error, 1)
	go l.live(started)
	return l, <-started
}

// live starts and awaits the program on one thread: the kernel kills the program when the thread that started it ends, so that
// thread has to last as long as the program.
func (l *life) live(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(l.ended)
	if err := l.cmd.Start(); err != nil {
		started <- err
		return
	}
	started <- nil
	l.result = l.cmd.Wait()
}

func (p *Process) awaitReady(ctx context.Context, l *life) error {
	if p.command.Ready == nil {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-l.ended:
			cancel(fmt.Errorf("it ended: %w", errors.Join(errEnded, l.result)))
		case <-ctx.Done():
		}
	}()
	return Await(ctx, "it to be ready", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, readyTimeout)
		defer cancel()
		return p.command.Ready(ctx)
	})
}

// running returns the present life, or nil.
func (p *Process) running() *life {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now == nil || p.now.over() {
		return nil
	}
	return p.now
}

// Stop asks the program to end, as an orderly shutdown does, and waits until it has. Data and port stay for the next Start. It returns
// an error when the program did not end within 30 s and had to be killed. Stopping what does not run is no error.
func (p *Process) Stop() error {
	p.changing.Lock()
	defer p.changing.Unlock()
	l := p.running()
	if l == nil {
		return nil
	}
	signal := p.command.StopSignal
	if signal == 0 {
		signal = syscall.SIGTERM
	}
	_ = l.cmd.Process.Signal(signal)
	grace := time.NewTimer(stopGrace)
	defer grace.Stop()
	select {
	case <-l.ended:
		return nil
	case <-grace.C:
		l.kill()
		return fmt.Errorf("stopping %s: killed, because it was still there after %s\n%s", p.command.Name, stopGrace, tail(p.LogPath()))
	}
}

// Kill ends the program and all its children with SIGKILL and returns when they are gone. Data and port stay for the next Start.
func (p *Process) Kill() {
	p.changing.Lock()
	defer p.changing.Unlock()
	if l := p.running(); l != nil {
		l.kill()
	}
}

// Close kills the program and removes its folder, log and data included.
func (p *Process) Close() error {
	p.Kill()
	if err := p.folder.remove(); err != nil {
		return fmt.Errorf("removing the folder of %s: %w", p.command.Name, err)
	}
	return nil
}

// Pause freezes the program and its children (SIGSTOP): connections stay open and nobody answers.
func (p *Process) Pause() error { return p.signalAll(syscall.SIGSTOP) }

// Resume ends a Pause.
func (p *Process) Resume() error { return p.signalAll(syscall.SIGCONT) }

func (p *Process) signalAll(signal syscall.Signal) error {
	l := p.running()
	if l == nil {
		return fmt.Errorf("signalling %s: %w", p.command.Name, ErrNotRunning)
	}
	l.signal(signal)
	return nil
}

// Signal sends a signal to the program alone.
func (p *Process) Signal(signal syscall.Signal) error {
	l := p.running()
	if l == nil {
		return fmt.Errorf("signalling %s: %w", p.command.Name, ErrNotRunning)
	}
	return l.cmd.Process.Signal(signal)
}

// Wait returns when the program has ended or ctx has. Its error is the program's exit status as of [exec.Cmd.Wait], or the context's.
func (p *Process) Wait(ctx context.Context) error {
	p.mu.Lock()
	l := p.now
	p.mu.Unlock()
	if l == nil {
		return nil
	}
	select {
	case <-l.ended:
		return l.result
	case <-ctx.Done():
		return fmt.Errorf("waiting for %s to end: %w", p.command.Name, context.Cause(ctx))
	}
}

// Pid is the program's process id, 0 when it does not run.
func (p *Process) Pid() int {
	l := p.running()
	if l == nil {
		return 0
	}
	return l.cmd.Process.Pid
}

// CPUTime is the processor time, user and system, that this life of the program and of its children has used, in steps of 10 ms.
func (p *Process) CPUTime() (time.Duration, error) {
	pid := p.Pid()
	if pid == 0 {
		return 0, fmt.Errorf("reading the processor time of %s: %w", p.command.Name, ErrNotRunning)
	}
	return CPUTime(pid)
}

// Resident is the resident memory of the running program in bytes, without its children.
func (p *Process) Resident() (int64, error) {
	pid := p.Pid()
	if pid == 0 {
		return 0, fmt.Errorf("reading the resident memory of %s: %w", p.command.Name, ErrNotRunning)
	}
	return Resident(pid)
}

// LogPath is the file to which the program's output goes, all lives in one.
func (p *Process) LogPath() string { return p.folder.file(p.command.Name + ".log") }

// Dir is the temporary folder of the process. Close removes it.
func (p *Process) Dir() string { return p.folder.path }

func (l *life) over() bool {
	select {
	case <-l.ended:
		return true
	default:
		return false
	}
}

// signal reaches the program's process group and those children that left it, as PostgreSQL's do.
func (l *life) signal(signal syscall.Signal) {
	pid := l.cmd.Process.Pid
	children := descendants(pid)
	_ = syscall.Kill(-pid, signal)
	for _, child := range children {
		_ = syscall.Kill(child, signal)
	}
}

// kill returns when the program and its children are gone, so that their port, their shared memory and their locks are free again.
func (l *life) kill() {
	pid := l.cmd.Process.Pid
	children := descendants(pid)
	_ = syscall.Kill(-pid, syscall.SIGKILL)
	<-l.ended
	for _, child := range children {
		_ = syscall.Kill(child, syscall.SIGKILL)
	}
	ctx, cancel := context.WithTimeout(context.Background(), killTimeout)
	defer cancel()
	for _, child := range children {
		_ = Await(ctx, "a killed child to be gone", func(context.Context) error {
			if alive(child) {
				return errNotYet
			}
			return nil
		})
	}
}
