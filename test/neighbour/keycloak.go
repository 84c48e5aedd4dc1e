package neighbour

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

const (
	keycloakAdministrator = "administrator"
	keycloakPassword      = "only-on-loopback"
	maxKeycloakAnswer     = 1 << 20
)

// A Keycloak is an OpenID provider with its data in memory. A restart forgets everything but the realms that it was started with.
type Keycloak struct {
	*Process
	port int
}

// StartKeycloak starts a server with realms, each a realm's representation as Keycloak exports it. The context bounds the start only.
func StartKeycloak(ctx context.Context, realms ...string) (*Keycloak, error) {
	home, err := keycloakHome()
	if err != nil {
		return nil, fmt.Errorf("starting keycloak: %w", err)
	}
	java, err := findJava()
	if err != nil {
		return nil, fmt.Errorf("starting keycloak: %w", err)
	}
	port, err := FreePort()
	if err != nil {
		return nil, fmt.Errorf("starting keycloak: %w", err)
	}
	dir, err := newFolder("keycloak")
	if err != nil {
		return nil, err
	}
	if err := layOutKeycloak(dir, home, realms); err != nil {
		_ = dir.remove()
		return nil, fmt.Errorf("starting keycloak: %w", err)
	}
	k := &Keycloak{port: port}
	k.Process, err = startIn(ctx, dir, Command{
		Name: "keycloak",
		Path: java,
		Args: []string{
			"-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
			"-Dkc.home.dir=" + dir.path, "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
			"-jar", dir.file("lib/quarkus-run.jar"),
			"start", "--optimized", "--http-enabled=true", "--hostname-strict=false", "--http-host=127.0.0.1",
			fmt.Sprintf("--http-port=%d", port), "--import-realm",
		},
		Env:   []string{"KC_BOOTSTRAP_ADMIN_USERNAME=" + keycloakAdministrator, "KC_BOOTSTRAP_ADMIN_PASSWORD=" + keycloakPassword},
		Ready: k.ready,
	})
	if err != nil {
		return nil, err
	}
	return k, nil
}

// layOutKeycloak makes a home for one server, which shares everything with the installation but its data.
func layOutKeycloak(dir *folder, home string, realms []string) error {
	for _, name := range []string{"conf", "lib", "providers", "themes"} {
		if err := os.Symlink(filepath.Join(home, name), dir.file(name)); err != nil {
			return err
		}
	}
	imports := dir.file("data/import")
	if err := os.MkdirAll(imports, 0o755); err != nil {
		return err
	}
	for n, realm := range realms {
		if err := os.WriteFile(filepath.Join(imports, fmt.Sprintf("%d.json", n)), []byte(realm), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// URL is the server's base URL.
func (k *Keycloak) URL() string { return "http://" + loopback(k.port) }

// Issuer is the issuer of a realm's tokens.
func (k *Keycloak) Issuer(realm string) string { return k.URL() + "/realms/" + realm }

// Tokens asks a realm's token endpoint, and gives its answer: access_token, refresh_token and so on.
func (k *Keycloak) Tokens(ctx context.Context, realm string, form url.Values) (map[string]any, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, k.Issuer(realm)+"/protocol/openid-connect/token", strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var tokens map[string]any
	if err := k.do(request, &tokens); err != nil {
		return nil, fmt.Errorf("asking keycloak for tokens: %w", err)
	}
	return tokens, nil
}

// Administer sends a request to the administration API, path after /admin, and reads what it answers. Both bodies are JSON, and nil is none.
func (k *Keycloak) Administer(ctx context.Context, method, path string, body, answer any) error {
	tokens, err := k.Tokens(ctx, "master", url.Values{
		"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {keycloakAdministrator}, "password": {keycloakPassword},
	})
	if err != nil {
		return err
	}
	var content []byte
	if body != nil {
		if content, err = json.Marshal(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, k.URL()+"/admin"+path, bytes.NewReader(content))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", fmt.Sprint("Bearer ", tokens["access_token"]))
	if err := k.do(request, answer); err != nil {
		return fmt.Errorf("administering keycloak: %s %s: %w", method, path, err)
	}
	return nil
}

func (k *Keycloak) do(request *http.Request, answer any) error {
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxKeycloakAnswer))
	if err != nil {
		return err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("it answered %d: %s", response.StatusCode, text)
	}
	if answer == nil || len(text) == 0 {
		return nil
	}
	return json.Unmarshal(text, answer)
}

// ready is when the realms are imported: the server listens only after that.
func (k *Keycloak) ready(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, k.Issuer("master")+"/.well-known/openid-configuration", nil)
	if err != nil {
		return err
	}
	var document struct{ Issuer string }
	if err := k.do(request, &document); err != nil {
		return err
	}
	if document.Issuer == "" {
		return errors.New("the discovery document names no issuer")
	}
	return nil
}
