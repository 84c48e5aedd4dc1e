// Package documents cuts streams of YAML and JSON into the documents of applications and devices, one at a time, so that
// a file of any length takes the memory of one document. It reads what people write and what lists print:
//
//   - YAML documents with markers between them, and JSON values one behind the other, also mixed
//   - a list of documents, as a JSON array or as a YAML sequence
//   - an object whose member items is a list of documents
package documents
