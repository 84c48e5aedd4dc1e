// Package authority issues certificates for tests, in the names and with the keys that devices have.
package authority
