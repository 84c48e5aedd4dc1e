// Package relay stands between clients and a server: for UDP it loses, repeats and delays datagrams, as bad radio does; for TCP it
// cuts connections and swallows answers.
package relay
