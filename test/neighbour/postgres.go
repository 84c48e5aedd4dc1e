package neighbour

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

const (
	postgresRole     = "fairlead" // a superuser, and the name of its database
	postgresMaintain = "postgres" // the database that initdb makes

	// postgresUser runs the server where the tests run as root, which PostgreSQL refuses. Debian's package makes it.
	postgresUser = "postgres"
)

// A Postgres is a PostgreSQL server with one superuser, who has a random password.
type Postgres struct {
	*Process
	port     int
	password string
}

// A PostgresOption changes how [StartPostgres] runs the server.
type PostgresOption func(*postgresSettings)

type postgresSettings struct {
	arguments []string
}

// PostgresNoSync has the server never wait for the disk. Data still survives Kill, as the operating system keeps it. Default: it waits.
func PostgresNoSync() PostgresOption {
	return func(s *postgresSettings) {
		s.arguments = append(s.arguments, "-c", "fsync=off", "-c", "full_page_writes=off")
	}
}

// PostgresSetting sets a parameter of postgresql.conf, over the defaults of this package.
func PostgresSetting(name, value string) PostgresOption {
	return func(s *postgresSettings) { s.arguments = append(s.arguments, "-c", name+"="+value) }
}

// StartPostgres makes a new cluster with the empty database that URL names and starts a server on it. The context bounds the start only.
func StartPostgres(ctx context.Context, options ...PostgresOption) (*Postgres, error) {
	var settings postgresSettings
	for _, option := range options {
		option(&settings)
	}
	cluster, err := newCluster(ctx)
	if err != nil {
		return nil, fmt.Errorf("starting postgres: %w", err)
	}
	port, err := FreePort()
	if err != nil {
		_ = cluster.dir.remove()
		return nil, fmt.Errorf("starting postgres: %w", err)
	}
	arguments := []string{
		"-D", cluster.data(), "-p", strconv.Itoa(port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200",
	}
	p := &Postgres{port: port, password: cluster.password}
	p.Process, err = startIn(ctx, cluster.dir, Command{
		Name:       "postgres",
		Path:       filepath.Join(cluster.bin, "postgres"),
		Args:       append(arguments, settings.arguments...),
		Ready:      p.ready,
		StopSignal: syscall.SIGINT, // "fast": ends sessions instead of waiting for them
		credential: cluster.credential,
	})
	if err != nil {
		return nil, err
	}
	if err := p.execute(ctx, "CREATE DATABASE "+postgresRole); err != nil {
		_ = p.Close()
		return nil, fmt.Errorf("starting postgres: %w", err)
	}
	return p, nil
}

// URL names the server's one database, user and password included.
func (p *Postgres) URL() string { return p.databaseURL(postgresRole) }

// Database makes an empty database for the test, which goes when the test ends, and returns its URL.
func (p *Postgres) Database(t testing.TB) string {
	t.Helper()
	name := uniqueName(t)
	quoted := pgx.Identifier{name}.Sanitize()
	if err := p.execute(t.Context(), "CREATE DATABASE "+quoted); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The test's own context has ended by now.
		if err := p.execute(context.WithoutCancel(t.Context()), "DROP DATABASE "+quoted+" WITH (FORCE)"); err != nil {
			t.Errorf("cleaning up: %v", err)
		}
	})
	return p.databaseURL(name)
}

func (p *Postgres) databaseURL(name string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(postgresRole, p.password),
		Host:     loopback(p.port),
		Path:     "/" + name,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

func (p *Postgres) ready(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, p.databaseURL(postgresMaintain))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return conn.Ping(ctx)
}

// execute runs one statement as the superuser.
func (p *Postgres) execute(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, p.databaseURL(postgresMaintain))
	if err != nil {
		return fmt.Errorf("connecting to postgres: %w", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("executing %q: %w", statement, err)
	}
	return nil
}

// A cluster is PostgreSQL's word for a data directory.
type cluster struct {
	bin        string
	dir        *folder
	password   string
	credential *syscall.Credential // nil: this process's own
}

func (c *cluster) data() string { return c.dir.file("data") }

func newCluster(ctx context.Context) (*cluster, error) {
	bin, err := findPostgres()
	if err != nil {
		return nil, err
	}
	credential, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := newFolder("postgres")
	if err != nil {
		return nil, err
	}
	c := &cluster{bin: bin, dir: dir, password: rand.Text(), credential: credential}
	if err := c.init(ctx); err != nil {
		_ = dir.remove()
		return nil, err
	}
	return c, nil
}

func (c *cluster) init(ctx context.Context) error {
	password := c.dir.file("password")
	if err := os.WriteFile(password, []byte(c.password+"\n"), 0o600); err != nil {
		return err
	}
	defer os.Remove(password)
	if err := os.Mkdir(c.data(), 0o700); err != nil {
		return err
	}
	if c.credential != nil {
		for _, path := range []string{password, c.data()} {
			if err := os.Chown(path, int(c.credential.Uid), int(c.credential.Gid)); err != nil {
				return err
			}
		}
	}
	initdb := exec.CommandContext(ctx, filepath.Join(c.bin, "initdb"), "-D", c.data(), "-U", postgresRole,
		"--pwfile="+password, "--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync")
	initdb.Dir = c.dir.path
	initdb.SysProcAttr = processAttributes(c.credential)
	if output, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("making its data directory: %w\n%s", err, bytes.TrimSpace(output))
	}
	return nil
}

// unprivileged is the user to run PostgreSQL as, which refuses root. Nil: whoever runs this process.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup(postgresUser)
	if err != nil {
		return nil, fmt.Errorf("the user that PostgreSQL is to run as: %w", errors.Join(err, ErrNotInstalled))
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", postgresUser, err)
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", postgresUser, err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// findPostgres returns the folder with initdb and postgres: Debian's newest version, or where PATH has them.
func findPostgres() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // only a malformed pattern is an error
	if len(found) > 0 {
		newest := slices.MaxFunc(found, func(a, b string) int { return postgresVersion(a) - postgresVersion(b) })
		return filepath.Dir(newest), nil
	}
	initdb, err := exec.LookPath("initdb")
	if err != nil {
		return "", fmt.Errorf("PostgreSQL is %w", ErrNotInstalled)
	}
	// PATH may hold a link, and the server's other programs lie beside its target.
	if target, err := filepath.EvalSymlinks(initdb); err == nil {
		initdb = target
	}
	return filepath.Dir(initdb), nil
}

// postgresVersion reads the folder's name in /usr/lib/postgresql/VERSION/bin/initdb.
func postgresVersion(initdb string) int {
	version, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb))))
	return version
}
