// Package cesql evaluates expressions in CESQL, the CloudEvents SQL expression language, with the results that Knative's
// Kafka broker gets: those of the Java library cloudevents-sql 4.0.1, called so that an error does not end an evaluation.
//
// What an error leaves behind is a value, and the evaluation goes on with it:
//
//   - An attribute that is missing reads as false and is remembered as missing. A comparison, sum or negation of it yields
//     the type's default value (false, 0), NOT of it yields false. LIKE, IN and functions take it as the boolean false,
//     so `missing LIKE 'f%'` is true.
//   - A text that is no number or boolean casts to 0 or false. Division by zero yields 0. A function that is unknown
//     yields false.
//   - An attribute whose name is written in another case is missing, except after EXISTS.
//
// Integers have 32 bits and wrap around. Positions and lengths count UTF-16 code units, as Java's strings do; in LIKE, `_`
// is one character, and neither `_` nor `%` matches a line break.
//
// The grammar is that of the Go SDK, which generates its parser from the same file as the Java SDK. Only its syntax
// tree is used: parse.go turns it into nodes, node.go evaluates them, value.go holds casts, functions.go the functions,
// like.go patterns, text.go Java's idea of a string, analyse.go what can be told without an event.
//
// testdata/decisions.txt was generated with the Java library: random expressions, and what it decides on each of the events
// in testdata/events.json.
package cesql
