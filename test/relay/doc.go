// Package relay is a UDP relay between clients and a server that loses, repeats and delays datagrams, as bad radio does.
package relay
