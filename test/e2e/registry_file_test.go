//go:build integration

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fairlead/fairlead/test/neighbour"
)

// misspelt are documents whose authors meant something else, with what `fairlead dev` says of each.
var misspelt = []struct{ document, says string }{
	{"kind: Device\nmetadata: {application: app, name: d1}\nspec: {authentification: {credentials: [{pass: p}]}}\n", "is authentication meant?"},
	{"kind: Device\nmetadata: {application: app, name: d2}\nspec: {authentication: {credential: [{pass: p}]}}\n", "is credentials meant?"},
	{"kind: Device\nmetadata: {application: app, name: d3}\nspec: {authentication: {credentials: [{password: p}]}}\n", "is pass meant?"},
	{"kind: Device\nmetadata: {application: app, name: d4}\nspec: {gatewayselector: {matchNames: [d1]}}\n", "is gatewaySelector meant?"},
	{"kind: Device\nmetadata: {application: app, name: d5}\nspec: {core: {Disabled: true}}\n", "is disabled meant?"},
	{"kind: Device\nmetadata: {application: app, name: d6}\nspec: {core: {disabled: }}\n", "has no value"},
	{"kind: Application\nmetadata: {name: other}\nspec: {trustAnchor: {anchors: []}}\n", "is trustAnchors meant?"},
	{"kind: Application\nmetadata: {name: another}\nspec: {trustAnchors: {anchors: [{certificate: bm8=}]}}\n", "anchors[0].certificate"},
}

// TestRegistryFilesThatAreNotTaken starts `fairlead dev` with what is no registry file, and with documents that are hardly meant so. The
// latter it takes with --lenient.
func TestRegistryFilesThatAreNotTaken(t *testing.T) {
	const application = "kind: Application\nmetadata: {name: app}\n---\n"
	file := filepath.Join(t.TempDir(), "registry.yaml")
	if err := syscall.Mkfifo(file, 0o600); err != nil {
		t.Fatal(err)
	}
	devRefuses(t, "a FIFO", "--registry", file)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	all := application
	for _, m := range misspelt {
		save(t, file, application+m.document)
		devRefuses(t, m.says, "--registry", file)
		all += m.document + "---\n"
	}
	save(t, file, all)
	process, _ := startDev(t, "--registry", file, "--lenient")
	said, err := os.ReadFile(process.LogPath())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range misspelt {
		if !contains(string(said), m.says) {
			t.Errorf("with --lenient it does not say %q: %s", m.says, said)
		}
	}
}

// save writes a file as editors do that write in place.
func save(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestARegistryFileThatIsBeingSaved has a file, JSON first and YAML behind it, be empty and cut short for a while. Nothing changes, and
// least of all what came through the API.
func TestARegistryFileThatIsBeingSaved(t *testing.T) {
	const device = "---\nkind: Device\nmetadata: {application: app, name: NAME}\nspec: {authentication: {credentials: [{pass: SECRET}]}}\n"
	text := func(secret string) string {
		documents := `{"kind": "Application", "metadata": {"name": "app"}}` + "\n" + strings.Replace(device, "NAME", "first", 1) + strings.Replace(device, "NAME", "second", 1)
		return strings.ReplaceAll(documents, "SECRET", secret)
	}
	file := filepath.Join(t.TempDir(), "registry.yaml")
	save(t, file, text("p"))
	process, n := startDev(t, "--registry", file)
	s := siteOf(t, n)
	a := &tenant{t: t, name: "app", topic: "events-app", broker: s.broker}
	s.device(a, "mine", password("p"))
	send := func(device, secret string) int { return post(t, s.http+"/v1/x", device+"@app:"+secret, "x").status }
	eventuallyAdmitted(t, s.http+"/v1/x", "mine@app:p")
	unchanged := func() int {
		said, err := os.ReadFile(process.LogPath())
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(said), "the registry stays as it was")
	}
	whole := text("p")
	for i, part := range []string{"", whole[:20], whole[:len(whole)-3], whole[:strings.Index(whole, "name: second")+9], "{"} {
		save(t, file, part)
		neighbour.Eventually(t, "the file to be seen", func() bool { return unchanged() == i+1 })
		for _, device := range []string{"first", "second", "mine"} {
			if got := send(device, "p"); got != 202 {
				t.Errorf("while the file holds %q, %s is answered with %d", part, device, got)
			}
		}
	}
	save(t, file, text("q"))
	neighbour.Eventually(t, "the whole file to be obeyed", func() bool { return send("second", "q") == 202 })
	if got := send("mine", "p"); got != 202 {
		t.Errorf("the device of the API is answered with %d", got)
	}
}

// TestADamagedFolderIsSaid flips a bit in what `fairlead dev` has stored. The next start says what is lost, and goes on with the rest.
func TestADamagedFolderIsSaid(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	process, n := startDevIn(t, data)
	const login, several = "device1@example-app:hey-rodney", 5
	for range several {
		accepted(t, "a message", post(t, n.HTTP+"/v1/x", login, strings.Repeat("x", 100)))
	}
	if err := process.Stop(); err != nil {
		t.Fatal(err)
	}
	segments, err := filepath.Glob(filepath.Join(data, "kafka", "partitions", "events-example-app-*", "0.dat"))
	if err != nil {
		t.Fatal(err)
	}
	damaged := 0
	for _, segment := range segments {
		content, err := os.ReadFile(segment)
		if err != nil {
			t.Fatal(err)
		}
		if len(content) == 0 {
			continue
		}
		content[len(content)-1] ^= 1
		save(t, segment, string(content))
		damaged++
	}
	if damaged == 0 {
		t.Fatalf("nothing is stored in %v", segments)
	}
	process, n = startDevIn(t, data)
	said, err := os.ReadFile(process.LogPath())
	if err != nil || strings.Count(string(said), "records are lost") != damaged || !contains(string(said), "events-example-app, partition ") {
		t.Errorf("%d segments are damaged, and it says %s, %v", damaged, said, err)
	}
	accepted(t, "a message after the damage", post(t, n.HTTP+"/v1/x", login, "after"))
	a := &tenant{t: t, name: "example-app", topic: "events-example-app", broker: n.Kafka[0]}
	if left := len(a.records()); left < 1 || left > several {
		t.Errorf("%d records are there", left)
	}
	err = filepath.WalkDir(data, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is open to others: %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
