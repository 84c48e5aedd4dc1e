package cesql

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// A text is UTF-8, in which half a surrogate pair, as LEFT may leave one, is encoded as if it was a character. Lengths and
// positions count UTF-16 code units.

// next is the first character of a text, which is not empty, with its size in bytes.
func next(s string) (r rune, size int) {
	if r, size = utf8.DecodeRuneInString(s); r != utf8.RuneError || size != 1 {
		return r, size
	}
	if half(s) {
		return rune(s[0]&0x0f)<<12 | rune(s[1]&0x3f)<<6 | rune(s[2]&0x3f), 3
	}
	return r, size
}

// half tells whether a text begins with half a surrogate pair.
func half(s string) bool {
	return len(s) >= 3 && s[0] == 0xed && s[1] >= 0xa0 && s[1] <= 0xbf && s[2] >= 0x80 && s[2] <= 0xbf
}

// units is the number of UTF-16 code units of a character.
func units(r rune) int {
	if r > 0xffff {
		return 2
	}
	return 1
}

func length(s string) (n int) {
	for len(s) > 0 {
		r, size := next(s)
		n += units(r)
		s = s[size:]
	}
	return n
}

// slice is a text from one code unit to before another. An end beyond the text is its end.
func slice(s string, begin, end int) string {
	var b strings.Builder
	for at := 0; len(s) > 0 && at < end; {
		r, size := next(s)
		n := units(r)
		switch {
		case n == 1 || at >= begin && at+1 < end:
			if at >= begin {
				b.WriteString(s[:size])
			}
		case at >= begin: // the second half lies outside
			b.WriteString(surrogate(0xd800 + (r-0x10000)>>10))
		case at+1 >= begin && at+1 < end: // the first half does
			b.WriteString(surrogate(0xdc00 + (r-0x10000)&0x3ff))
		}
		at += n
		s = s[size:]
	}
	return b.String()
}

func surrogate(r rune) string {
	return string([]byte{0xe0 | byte(r>>12), 0x80 | byte(r>>6)&0x3f, 0x80 | byte(r)&0x3f})
}

// join appends a text, and makes one character of two halves that meet.
func join(a, b string) string {
	if len(a) >= 3 && half(a[len(a)-3:]) && half(b) {
		high, _ := next(a[len(a)-3:])
		low, _ := next(b)
		if high < 0xdc00 && low >= 0xdc00 {
			return a[:len(a)-3] + string(0x10000+(high-0xd800)<<10+(low-0xdc00)) + b[3:]
		}
	}
	return a + b
}

func lower(s string) string { return mapped(s, strings.ToLower, cases.Lower) }
func upper(s string) string { return mapped(s, strings.ToUpper, cases.Upper) }

// mapped changes the case of a text by Unicode's full rules, under which ß becomes SS.
func mapped(s string, ascii func(string) string, full func(language.Tag, ...cases.Option) cases.Caser) string {
	if strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0 {
		return ascii(s)
	}
	caser := full(language.Und)
	if utf8.ValidString(s) {
		return caser.String(s)
	}
	var b strings.Builder
	begin := 0
	for i := 0; i < len(s); {
		if half(s[i:]) {
			b.WriteString(caser.String(s[begin:i]))
			b.WriteString(s[i : i+3])
			i += 3
			begin = i
			continue
		}
		_, size := next(s[i:])
		i += size
	}
	b.WriteString(caser.String(s[begin:]))
	return b.String()
}
