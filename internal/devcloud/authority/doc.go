// Package authority makes the certificate that `fairlead dev` shows to devices, and the certificate authority that signed
// it. Both lie in the data folder, so that a client that trusts the authority goes on trusting it after a restart.
package authority
