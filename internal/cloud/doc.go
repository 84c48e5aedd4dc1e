// Package cloud is the other side of the registry's API: what the command line needs to talk to an installation of Fairlead,
// or of Drogue Cloud, whose API it is.
//
// Reading path: contexts.go is which installations a user knows and how they are logged in there, kept in a file;
// endpoints.go and login.go are how that begins; session.go keeps tokens fresh; client.go makes calls, and resources.go,
// members.go and tokens.go name them.
package cloud
