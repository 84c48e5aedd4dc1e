// Package header reads header fields of HTTP requests that would be dangerous to read in two ways.
package header
