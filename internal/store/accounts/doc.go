// Package accounts keeps access tokens and the names of users in the registry's database, for internal/user. It knows no
// token, only hashes, and the names that providers told of who has signed in.
package accounts
