package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/internal/cloud"
)

// loginTimeout is how long a person may take to log in.
const loginTimeout = 10 * time.Minute

// answerTimeout is how long an installation may take for each answer at a log-in. Something else that listens there may never answer. It is
// a variable for tests.
var answerTimeout = 10 * time.Second

// maxStdin bounds what is read from standard input where a line is expected, in bytes.
const maxStdin = 16 << 10

type loginCommand struct {
	remote
	URL         string `arg:"" optional:"" default:"http://127.0.0.1:8081" help:"URL of the installation's API; fairlead dev, if none is given."`
	Device      bool   `xor:"way" help:"Log in with a code in a browser on another machine."`
	AccessToken string `xor:"way" placeholder:"TOKEN" help:"Log in with an access token; - reads it from standard input."`
	User        string `help:"Name of the access token's user. Fairlead does not need it, Drogue Cloud does."`
	Browser     bool   `default:"true" negatable:"" help:"Open a browser."`
	ClientID    string `default:"drogue" help:"Client id of this program at the identity provider."`
}

// Run logs in, sees that the API knows the user, and makes a context of it.
func (c *loginCommand) Run(ctx context.Context, t terminal) error {
	base, err := cloud.CheckURL(c.URL)
	if err != nil {
		return err
	}
	name := c.Context
	if name == "" {
		name = contextOf(base)
	}
	contexts, err := c.contexts()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	next, err := c.log(ctx, t, base)
	if err != nil {
		return err
	}
	if err := contexts.Put(name, next); err != nil {
		return err
	}
	user, err := answered(ctx, func(ctx context.Context) (string, error) { return whoAmI(ctx, next) })
	if err != nil {
		return c.notTaken(ctx, base, err)
	}
	if err := contexts.Save(); err != nil {
		return err
	}
	fmt.Fprintf(t.err, "logged in to %s as %s, context %s\n", base, printable(user), name)
	return nil
}

// notTaken says why a log-in is of no use, as far as one can see from here.
func (c *loginCommand) notTaken(ctx context.Context, base string, err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return adviseURL(err, base)
	}
	if _, other := discover(ctx, base); other != nil {
		return adviseURL(other, base)
	}
	err = fmt.Errorf("the log-in is not taken by %s: %w", base, err)
	if cloud.IsLoggedOut(err) && c.AccessToken != "" {
		return fmt.Errorf("%w\nThe access token has expired, was deleted, or is of another installation; fairlead dev makes a new one each time it starts, in dev.json", err)
	}
	return err
}

// answered asks an installation, and waits for its answer no longer than it should take.
func answered[T any](ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return ask(ctx)
}

func discover(ctx context.Context, base string) (*cloud.Endpoints, error) {
	return answered(ctx, func(ctx context.Context) (*cloud.Endpoints, error) { return cloud.Discover(ctx, base) })
}

// adviseURL says what to do where an installation's API does not answer.
func adviseURL(err error, base string) error {
	const address = "fairlead dev prints the right address as registry's API, usually http://127.0.0.1:8081"
	var scheme tls.RecordHeaderError
	switch {
	case errors.Is(err, cloud.ErrNotAPI):
		return fmt.Errorf("%w\nIs it the right port? %s", err, address)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w\nNobody listens there: is it running, and is it the right port? %s", err, address)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w\nNothing is answered there within %v: is it the right port? %s", err, answerTimeout, address)
	case errors.As(err, &scheme), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return fmt.Errorf("%w\nIt speaks http, not https: try %s", err, strings.Replace(base, "https://", "http://", 1))
	case strings.Contains(err.Error(), "malformed HTTP"), errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return fmt.Errorf("%w\nIt does not speak HTTP: is it the right port, and should the URL begin with https? %s", err, address)
	}
	return err
}

// contextOf is what a context is called if nobody says it: the host.
func contextOf(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return "default"
	}
	return strings.Trim(strings.NewReplacer(":", "-", "[", "", "]", "").Replace(u.Host), "-.")
}

func (c *loginCommand) log(ctx context.Context, t terminal, base string) (*cloud.Context, error) {
	next := &cloud.Context{URL: base}
	if c.AccessToken != "" {
		token, err := fromStdin(t, c.AccessToken)
		next.User, next.AccessToken = c.User, token
		return next, err
	}
	endpoints, err := discover(ctx, base)
	if err != nil {
		return nil, adviseURL(err, base)
	}
	if endpoints.Issuer == "" {
		return nil, fmt.Errorf("%s names no identity provider; log in with --access-token", base)
	}
	flow := cloud.LoginFlow{Issuer: endpoints.Issuer, ClientID: c.ClientID, Show: c.show(ctx, t)}
	if c.Device {
		next.Login, err = flow.Device(ctx)
	} else {
		next.Login, err = flow.Browser(ctx)
	}
	return next, err
}

// show tells the person where to log in, and opens a browser there.
func (c *loginCommand) show(ctx context.Context, t terminal) func(address, code string) {
	return func(address, code string) {
		if code != "" {
			fmt.Fprintf(t.err, "To log in, type the code %s at\n\n  %s\n\n", printable(code), printable(address))
			return
		}
		fmt.Fprintf(t.err, "To log in, go to\n\n  %s\n\n", printable(address))
		if c.Browser && isTerminal(t.err) {
			openBrowser(ctx, address)
		}
	}
}

// openBrowser does what it can. The address was printed.
func openBrowser(ctx context.Context, address string) {
	program := []string{"xdg-open", address}
	switch runtime.GOOS {
	case "darwin":
		program[0] = "open"
	case "windows":
		program = []string{"rundll32", "url.dll,FileProtocolHandler", address}
	}
	if command := exec.CommandContext(ctx, program[0], program[1:]...); command.Start() == nil {
		go func() { _ = command.Wait() }()
	}
}

// fromStdin gives a value, or reads a line if it is "-".
func fromStdin(t terminal, value string) (string, error) {
	if value != "-" {
		return value, nil
	}
	text, err := io.ReadAll(io.LimitReader(t.in, maxStdin+1))
	value, _, _ = strings.Cut(string(text), "\n")
	value = strings.TrimSuffix(value, "\r")
	if err != nil || value == "" || len(text) > maxStdin {
		return "", errors.New("standard input has no line to read")
	}
	return value, nil
}

// whoAmI tells who the API takes the bearer of a context for.
func whoAmI(ctx context.Context, c *cloud.Context) (string, error) {
	client, err := c.Client()
	if err != nil {
		return "", err
	}
	user, err := client.WhoAmI(ctx)
	switch {
	case err != nil:
		return "", err
	case user.Name != "":
		return user.Name, nil
	case user.ID != "":
		return user.ID, nil
	default:
		return "", errors.New("it takes you for nobody")
	}
}

type logoutCommand struct{ remote }

// Run forgets the tokens of a context, and with them the context.
func (c *logoutCommand) Run(t terminal) error {
	contexts, err := c.contexts()
	if err != nil {
		return err
	}
	name, _, err := contexts.Get(c.Context)
	if err != nil {
		return err
	}
	if err := contexts.Delete(name); err != nil {
		return err
	}
	if err := contexts.Save(); err != nil {
		return err
	}
	fmt.Fprintf(t.err, "context %s is forgotten\n", name)
	return nil
}

type whoAmICommand struct {
	remote
	Token bool `help:"Print the token that calls are made with, for other programs."`
}

// Run tells who is logged in.
func (c *whoAmICommand) Run(ctx context.Context, t terminal) error {
	session, err := c.session()
	if err != nil {
		return err
	}
	if c.Token {
		token, err := session.Token(ctx)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(t.out, token)
		return err
	}
	client, err := session.Client()
	if err != nil {
		return err
	}
	user, err := client.WhoAmI(ctx)
	if err != nil {
		return err
	}
	if user.ID == "" {
		user.ID = "nobody"
	}
	_, err = fmt.Fprintf(t.out, "user\t%s\nid\t%s\ncontext\t%s\nurl\t%s\n", oneLine(firstText(user.Name, user.ID)), oneLine(user.ID), session.Name(), session.Context().URL)
	return err
}

func firstText(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
