package event

// HeaderValue is the text of an attribute as an HTTP header carries it: percent-encoded where that is asked for (CloudEvents HTTP
// protocol binding 1.0.2, section 3.1.3.2).
func HeaderValue(text string) string {
	const hex = "0123456789ABCDEF"
	plain := func(c byte) bool { return c > ' ' && c < 0x7f && c != '"' && c != '%' }
	n := 0
	for i := range len(text) {
		if !plain(text[i]) {
			n++
		}
	}
	if n == 0 {
		return text
	}
	out := make([]byte, 0, len(text)+2*n)
	for i := range len(text) {
		if c := text[i]; plain(c) {
			out = append(out, c)
		} else {
			out = append(out, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(out)
}
