package registryfn

import (
	_ "embed" // for the description
	"net/http"
	"strconv"
)

//go:embed openapi.yaml
var description []byte

// describe answers GET /api/openapi.yaml with the description of the API.
func (h *Handler) describe(c *call) error {
	c.status = http.StatusOK
	c.w.Header().Set("Content-Type", "application/yaml")
	c.w.Header().Set("Content-Length", strconv.Itoa(len(description)))
	_, _ = c.w.Write(description)
	return nil
}
