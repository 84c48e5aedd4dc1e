package registryfn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"
)

// contractURL is where the document is for references in it. It is not that of its file, whose folder may have any name.
const contractURL = "https://registry.example/openapi.json"

// A contract is openapi.yaml, read as strangers read it.
type contract struct {
	document map[string]any
	schemas  *jsonschema.Compiler
	routes   router // to find the path of a request, not to answer it
}

func newContract(t testing.TB) *contract {
	t.Helper()
	text, err := yaml.YAMLToJSONStrict(description)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := &contract{document: document.(map[string]any), schemas: jsonschema.NewCompiler(), routes: newRouter(routes())}
	c.schemas.AssertFormat()
	if err := c.schemas.AddResource(contractURL, document); err != nil {
		t.Fatal(err)
	}
	return c
}

// at follows a JSON pointer, and references on its way. It gives the value and where it lies.
func (c *contract) at(pointer string) (value any, where string) {
	value = c.document
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		members, ok := value.(map[string]any)
		if !ok {
			return nil, pointer
		}
		value = members[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]
	}
	if members, ok := value.(map[string]any); ok {
		// A schema's reference is the validator's to follow.
		if target, ok := members["$ref"].(string); ok && !strings.HasPrefix(target, "#/components/schemas/") {
			return c.at(strings.TrimPrefix(target, "#"))
		}
	}
	return value, pointer
}

func escape(path string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(path) }

// validate compares a body with the schema that lies under a pointer.
func (c *contract) validate(pointer string, body []byte) error {
	schema, err := c.schemas.Compile(contractURL + "#" + strings.ReplaceAll(strings.ReplaceAll(pointer, "{", "%7B"), "}", "%7D"))
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// check compares an answer, and a request that was accepted, with what the document says of them.
func (c *contract) check(r *http.Request, sent []byte, w *httptest.ResponseRecorder) error {
	route, _, _ := c.routes.find(r.Method, r.URL.EscapedPath())
	if route == nil {
		return nil // the document says nothing of what is not there
	}
	operation := "/paths/" + escape(route.path) + "/" + strings.ToLower(route.method)
	if described, body := c.at(operation + "/requestBody"); described != nil && w.Code < 300 && len(bytes.TrimSpace(sent)) > 0 {
		if err := c.validate(body+"/content/application~1json/schema", sent); err != nil {
			return fmt.Errorf("a request was accepted that the document does not allow: %w", err)
		}
	}
	response, where := c.at(operation + "/responses/" + strconv.Itoa(w.Code))
	if response == nil {
		return fmt.Errorf("the document does not know of the status %d", w.Code)
	}
	headers, _ := response.(map[string]any)["headers"].(map[string]any)
	for name, h := range headers {
		if h.(map[string]any)["required"] == true && w.Header().Get(name) == "" {
			return fmt.Errorf("the header %s is missing", name)
		}
	}
	content, _ := response.(map[string]any)["content"].(map[string]any)
	if w.Body.Len() == 0 {
		if len(content) > 0 && w.Code != http.StatusNotFound && r.Method != http.MethodHead {
			return fmt.Errorf("there is no body")
		}
		return nil
	}
	kind := w.Header().Get("Content-Type")
	if _, ok := content[kind]; !ok {
		return fmt.Errorf("the document does not know of a body of type %q", kind)
	}
	if kind != "application/json" {
		return nil
	}
	return c.validate(where+"/content/application~1json/schema", w.Body.Bytes())
}

// The document and the handler have the same operations.
func TestEveryOperationIsDescribed(t *testing.T) {
	c := newContract(t)
	var described, served []string
	for path, item := range c.document["paths"].(map[string]any) {
		for method, operation := range item.(map[string]any) {
			if method == "parameters" {
				continue
			}
			id := operation.(map[string]any)["operationId"]
			described = append(described, fmt.Sprintf("%s %s %s", strings.ToUpper(method), path, id))
		}
	}
	for _, r := range routes() {
		served = append(served, fmt.Sprintf("%s %s %s", r.method, r.path, r.operation))
	}
	slices.Sort(described)
	slices.Sort(served)
	if diff := cmp.Diff(served, described); diff != "" {
		t.Errorf("-served +described:\n%s", diff)
	}
}

// Parameters of a path are described, open operations need no credential, and every reference leads somewhere.
func TestDescriptionIsConsistent(t *testing.T) {
	c := newContract(t)
	for _, r := range routes() {
		item := "/paths/" + escape(r.path)
		operation, _ := c.at(item + "/" + strings.ToLower(r.method))
		security, said := operation.(map[string]any)["security"].([]any)
		if open := said && len(security) == 0; open != r.open {
			t.Errorf("%s %s: open %t, and described as %t", r.method, r.path, r.open, open)
		}
		described := map[string]bool{}
		parameters, _ := c.at(item)
		list, _ := parameters.(map[string]any)["parameters"].([]any)
		for _, p := range list {
			if target, ok := p.(map[string]any)["$ref"].(string); ok {
				p, _ = c.at(strings.TrimPrefix(target, "#"))
			}
			described[fmt.Sprint(p.(map[string]any)["name"])] = true
		}
		for segment := range strings.SplitSeq(r.path, "/") {
			if name, ok := strings.CutPrefix(segment, "{"); ok && !described[strings.TrimSuffix(name, "}")] {
				t.Errorf("%s: %s is not described", r.path, segment)
			}
		}
	}
	var walk func(value any)
	walk = func(value any) {
		switch value := value.(type) {
		case map[string]any:
			if target, ok := value["$ref"].(string); ok {
				if found, _ := c.at(strings.TrimPrefix(target, "#")); found == nil {
					t.Errorf("%s leads nowhere", target)
				}
			}
			for _, member := range value {
				walk(member)
			}
		case []any:
			for _, member := range value {
				walk(member)
			}
		}
	}
	walk(c.document)
	for name := range c.document["components"].(map[string]any)["schemas"].(map[string]any) {
		if _, err := c.schemas.Compile(contractURL + "#/components/schemas/" + name); err != nil {
			t.Errorf("schema %s: %v", name, err)
		}
	}
}

// Every error that a handler can give has its name in the document.
func TestErrorsAreDescribed(t *testing.T) {
	c := newContract(t)
	for _, r := range []*refusal{
		notFound, noReference, notPermitted, lockFailed, noTags, full, badRequest(""), invalidRequest(""), conflict(""), tooLarge(""), wrongType(""), databaseAway(nil),
	} {
		body, err := json.Marshal(r.document)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.validate("/components/schemas/Error", body); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
}
