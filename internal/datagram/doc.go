// Package datagram is a UDP socket that answers from the address at which it was asked, and hears no multicast.
package datagram
