package cesql

import (
	"math"
	"strings"
)

// A function is one function with one number of parameters; a variadic one repeats its last parameter.
type function struct {
	parameters []Type
	variadic   bool
	result     Type
	call       func(r *run, arguments []value) value
}

func (f *function) parameter(i int) Type { return f.parameters[min(i, len(f.parameters)-1)] }

// functions are those of the Java library, by name.
var functions = map[string][]*function{
	"ABS":       {{parameters: []Type{Integer}, result: Integer, call: abs}},
	"INT":       {{parameters: []Type{Any}, result: Integer, call: func(_ *run, a []value) value { return a[0].cast(Integer) }}},
	"BOOL":      {{parameters: []Type{Any}, result: Boolean, call: func(_ *run, a []value) value { return a[0].cast(Boolean) }}},
	"STRING":    {{parameters: []Type{Any}, result: String, call: func(_ *run, a []value) value { return a[0].cast(String) }}},
	"IS_BOOL":   {{parameters: []Type{String}, result: Boolean, call: isBool}},
	"IS_INT":    {{parameters: []Type{String}, result: Boolean, call: isInt}},
	"LENGTH":    {{parameters: []Type{String}, result: Integer, call: func(_ *run, a []value) value { return integer(int32(length(a[0].s))) }}},
	"CONCAT":    {{parameters: []Type{String}, variadic: true, result: String, call: func(r *run, a []value) value { return concat(r, "", a) }}},
	"CONCAT_WS": {{parameters: []Type{String, String}, variadic: true, result: String, call: func(r *run, a []value) value { return concat(r, a[0].s, a[1:]) }}},
	"LOWER":     {{parameters: []Type{String}, result: String, call: func(r *run, a []value) value { return r.text(lower(a[0].s)) }}},
	"UPPER":     {{parameters: []Type{String}, result: String, call: func(r *run, a []value) value { return r.text(upper(a[0].s)) }}},
	"TRIM":      {{parameters: []Type{String}, result: String, call: trim}},
	"LEFT":      {{parameters: []Type{String, Integer}, result: String, call: left}},
	"RIGHT":     {{parameters: []Type{String, Integer}, result: String, call: right}},
	"SUBSTRING": {
		{parameters: []Type{String, Integer}, result: String, call: func(r *run, a []value) value { return substring(r, a, math.MaxInt32) }},
		{parameters: []Type{String, Integer, Integer}, result: String, call: func(r *run, a []value) value { return substring(r, a, a[2].i) }},
	},
}

// resolve finds a function by its name in upper case and the number of its arguments; nil if there is none.
func resolve(name string, arguments int) *function {
	for _, f := range functions[name] {
		if arguments == len(f.parameters) || f.variadic && arguments >= len(f.parameters)-1 {
			return f
		}
	}
	return nil
}

func abs(_ *run, a []value) value {
	switch i := a[0].i; {
	case i == math.MinInt32:
		return integer(math.MaxInt32)
	case i < 0:
		return integer(-i)
	}
	return a[0]
}

func isBool(_ *run, a []value) value {
	_, ok := parseBool(a[0].s)
	return boolean(ok)
}

func isInt(_ *run, a []value) value {
	_, ok := parseInt(a[0].s)
	return boolean(ok)
}

func concat(r *run, separator string, parts []value) value {
	var s string
	n := 0
	for i, part := range parts {
		if n += len(part.s) + len(separator); r.made+n > maxText {
			return r.fail(errTooMuchText).cast(String)
		}
		if i > 0 {
			s = join(s, separator)
		}
		s = join(s, part.s)
	}
	return r.text(s)
}

// trim removes what Java's trim removes: blanks and control characters of ASCII.
func trim(r *run, a []value) value {
	return r.text(strings.TrimFunc(a[0].s, func(c rune) bool { return c <= ' ' }))
}

func left(r *run, a []value) value {
	if a[1].i < 0 {
		return a[0]
	}
	return r.text(slice(a[0].s, 0, int(a[1].i)))
}

func right(r *run, a []value) value {
	n := length(a[0].s)
	if a[1].i < 0 || int(a[1].i) > n {
		return a[0]
	}
	return r.text(slice(a[0].s, n-int(a[1].i), n))
}

// substring begins at a position counted from 1, or from the end if it is negative. What lies outside is "".
func substring(r *run, a []value, size int32) value {
	n, position := length(a[0].s), int(a[1].i)
	if position == 0 || position < -n || position > n || size < 0 {
		return text("")
	}
	begin := position - 1
	if position < 0 {
		begin = n + position
	}
	if len(a) > 2 && begin+int(size) > math.MaxInt32 { // Java's sum wraps around, and the end lies before the beginning
		return text("")
	}
	return r.text(slice(a[0].s, begin, begin+int(size)))
}
