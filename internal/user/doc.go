// Package user decides who a user of the API is and what they may do. Devices are internal/auth's; users are people,
// their scripts, and the services of Fairlead itself.
//
// Reading path: identity.go is what is known of a caller; authenticator.go finds it out from a request, with the token of
// an OpenID provider (provider.go, keys.go, claims.go) or with an access token of ours (secret.go, tokens.go);
// decide.go is the table of permissions; source.go is the other side, a service that calls another one.
//
// A request carries exactly one credential or none. None is the anonymous identity, which reads what is public and writes
// nothing. A credential that is wrong is refused, and never taken for none.
//
// No token, and no part of one but the prefix of an access token, appears in errors, logs and metrics.
package user
