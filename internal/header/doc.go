// Package header reads header fields of HTTP that should be read in one way everywhere.
package header
