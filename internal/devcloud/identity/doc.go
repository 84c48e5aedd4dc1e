// Package identity is the OpenID provider of `fairlead dev`: one user, a client for people's programs and a client for
// services, so that logging in, client credentials and bearer tokens work on a laptop. What is issued is checked by
// internal/user, as the tokens of any other provider are.
//
// It is for a laptop and nothing else. Its user administers everything, its keys and sessions live in memory, and it
// answers only on and to this machine. Only internal/devcloud imports it.
//
// Reading path: provider.go puts it together around a library; storage.go is what that library asks for; clients.go says
// who may ask for tokens; login.go are the pages.
package identity
