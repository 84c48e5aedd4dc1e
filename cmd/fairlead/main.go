package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"
)

// cli is the command line.
type cli struct {
	Dev     devCommand     `cmd:"" help:"Run everything in this process: devices post over HTTP, Triggers deliver."`
	Receive receiveCommand `cmd:"" help:"Listen for CloudEvents over HTTP and print them."`
	Trigger triggerCommand `cmd:"" help:"Check and try Trigger manifests."`
	OPCUA   opcuaCommand   `cmd:"" name:"opcua" help:"Look at OPC UA servers, and check mappings of their nodes."`

	DeadLetters deadLettersCommand `cmd:"" name:"deadletters" help:"Events that could not be delivered: list them, and deliver them again."`
	Replay      replayCommand      `cmd:"" help:"Deliver events of an application again, from a time or an offset on."`

	Login     loginCommand     `cmd:"" help:"Log in to an installation, and make it the current context."`
	Logout    logoutCommand    `cmd:"" help:"Forget a context and its tokens."`
	Whoami    whoAmICommand    `cmd:"" help:"Tell who is logged in, and where."`
	Context   contextCommand   `cmd:"" help:"Choose among the installations that you are logged in to."`
	Endpoints endpointsCommand `cmd:"" help:"Say where devices and applications connect to."`
	App       appCommand       `cmd:"" help:"Applications."`
	Device    deviceCommand    `cmd:"" help:"Devices of an application."`
	Set       setCommand       `cmd:"" help:"Passwords, keys, gateways and aliases of a device."`
	Trust     trustCommand     `cmd:"" help:"Certificates: the authorities that an application trusts, and certificates of its devices."`
	Command   commandCommand   `cmd:"" help:"Send a command to a device."`
	Watch     watchCommand     `cmd:"" help:"Show the events of an application as they come."`
	Member    memberCommand    `cmd:"" help:"Users with a role in an application."`
	Token     tokenCommand     `cmd:"" help:"Access tokens, for programs of yours."`
	Label     labelCommand     `cmd:"" help:"Add labels to applications and devices, and take them away."`
	Apply     applyCommand     `cmd:"" help:"Make the registry have what files say."`

	Migrate migrateCommand `cmd:"" help:"Make or update the schema of a registry's database. Functions do not."`

	Completion completionCommand `cmd:"" help:"Print what makes a shell complete command lines."`
	Complete   completeCommand   `cmd:"" hidden:"" name:"__complete" passthrough:"" help:"Complete a command line."`
	Version    versionCommand    `cmd:"" help:"Print the version."`
}

// A terminal is where a command talks to the user.
type terminal struct {
	out, err io.Writer
	in       io.Reader
}

// errReported ends the process with status 1 without a message: the command has said what is wrong.
var errReported = errors.New("reported")

func main() {
	ctx, stop := interruptible(context.Background())
	defer stop()
	os.Exit(run(ctx, filepath.Base(os.Args[0]), os.Args[1:], terminal{os.Stdout, os.Stderr, os.Stdin}))
}

// run executes one command line and returns the exit status: 1 for what went wrong, 2 for a wrong command line.
func run(ctx context.Context, program string, arguments []string, t terminal) (status int) {
	status = -1 // until kong asks to exit, which it does for --help
	parser, err := kong.New(&cli{},
		kong.Name(strings.Replace(program, "kn-", "kn ", 1)),
		kong.Description("An IoT data plane for Knative, and its tools."),
		kong.Writers(t.out, t.err),
		kong.Exit(func(code int) { status = code }),
		kong.UsageOnError(),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(t),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
	)
	if err != nil {
		fmt.Fprintln(t.err, "fairlead:", err)
		return 2
	}
	if len(arguments) == 0 {
		arguments = []string{"--help"}
	}
	command, err := parser.Parse(arguments)
	if status >= 0 {
		return status
	}
	if err != nil {
		fmt.Fprintf(t.err, "fairlead: %v\n", err)
		return 2
	}
	if err := renamedVariables(command.Flags()); err != nil {
		fmt.Fprintf(t.err, "fairlead: %v\n", err)
		return 2
	}
	err = command.Run()
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errReported):
		return 1
	default:
		fmt.Fprintf(t.err, "fairlead: %s\n", printable(err.Error()))
		return 1
	}
}
