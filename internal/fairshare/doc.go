// Package fairshare shares a bounded number of places among many. In a Room, which devices of many applications enter, whoever has the
// most gives way at the bound; out of a Pool, where nobody can be asked to, nobody gets more than stays free. Neither can one device
// take every place of its application, nor one application every place there is.
package fairshare
