package cesql

// A pattern is what stands after LIKE: runs of characters with % between them.
type pattern struct {
	runs  [][]symbol
	first bool // a % before the first run
	last  bool // a % after the last run
}

// A symbol is one character of a pattern; any is the wildcard `_`.
type symbol struct {
	r   rune
	any bool
}

// newPattern reads a pattern. \% and \_ are the characters themselves, every other backslash is one.
func newPattern(s string) pattern {
	var p pattern
	var run []symbol
	parts := 0
	for len(s) > 0 {
		r, size := next(s)
		s = s[size:]
		switch {
		case r == '\\' && (len(s) > 0 && (s[0] == '%' || s[0] == '_')):
			run = append(run, symbol{r: rune(s[0])})
			s = s[1:]
		case r == '%':
			if parts++; len(run) > 0 || parts == 1 {
				p.runs = append(p.runs, run)
				run = nil
			}
		default:
			run = append(run, symbol{r: r, any: r == '_'})
		}
	}
	if parts == 0 || len(run) > 0 {
		p.runs = append(p.runs, run)
	}
	p.first = parts > 0 && len(p.runs[0]) == 0
	p.last = parts > 0 && len(run) == 0
	if p.first {
		p.runs = p.runs[1:]
	}
	return p
}

// lineBreak tells whether neither `_` nor % matches a character.
func lineBreak(r rune) bool {
	return r == '\n' || r == '\r' || r == 0x85 || r == 0x2028 || r == 0x2029
}

func (p pattern) match(s string) bool {
	var text []rune
	for len(s) > 0 {
		r, size := next(s)
		text = append(text, r)
		s = s[size:]
	}
	// The leftmost place of a run is as good as any: a later one that % reaches leaves less of the same line.
	gap := p.first
	for i, run := range p.runs {
		end := i == len(p.runs)-1 && !p.last
		if !p.find(run, &text, gap, end) {
			return false
		}
		gap = true
	}
	if !p.last && !(p.first && len(p.runs) == 0) {
		return len(text) == 0
	}
	for _, r := range text {
		if lineBreak(r) {
			return false
		}
	}
	return true
}

// find removes what comes before a run and the run itself. gap says that something may come before, end that nothing may
// come after.
func (p pattern) find(run []symbol, text *[]rune, gap, end bool) bool {
	t := *text
	if gap && end {
		if len(t) < len(run) {
			return false
		}
		skipped := t[:len(t)-len(run)]
		for _, r := range skipped {
			if lineBreak(r) {
				return false
			}
		}
		t = t[len(skipped):]
	}
	for {
		if begins(t, run) {
			*text = t[len(run):]
			return true
		}
		if !gap || end || len(t) == 0 || lineBreak(t[0]) {
			return false
		}
		t = t[1:]
	}
}

func begins(text []rune, run []symbol) bool {
	if len(text) < len(run) {
		return false
	}
	for i, symbol := range run {
		if symbol.any && lineBreak(text[i]) || !symbol.any && symbol.r != text[i] {
			return false
		}
	}
	return true
}
