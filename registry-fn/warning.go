package registryfn

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/registry"
)

// maxWarnings bounds the warnings of one answer, in bytes: proxies take few kilobytes of headers.
const maxWarnings = 3 << 10

// warn has the answer say what of a document is probably not meant so, in the manner of Kubernetes: Warning: 299 - "text".
// It takes the place of what was to be said before.
func (c *call) warn(problems []registry.Problem) { c.problems = problems }

// writeWarnings writes them in front of an answer of success.
func (c *call) writeWarnings() {
	left := maxWarnings
	all := slices.Concat(c.twice, c.problems)
	for i, problem := range all {
		text := warning(problem.String())
		if left -= len(text); left < 0 {
			c.w.Header().Add("Warning", warning(fmt.Sprintf("%d more", len(all)-i)))
			return
		}
		c.w.Header().Add("Warning", text)
	}
}

// warning is a warn-value of RFC 7234 section 5.5 for a line of ASCII.
func warning(text string) string {
	return `299 - "` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
