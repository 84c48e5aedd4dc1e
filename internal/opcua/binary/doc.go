// Package binary is the binary encoding of OPC UA (OPC 10000-6, 5.2): the built-in types, and the requests and responses that a
// client needs.
//
// What is read comes from a server that may be hostile. Lengths are compared with what there is before anything is allocated,
// memory and nesting are bounded, and nothing panics. Structures inside of ExtensionObjects stay bytes until somebody who
// knows their type decodes them.
package binary
