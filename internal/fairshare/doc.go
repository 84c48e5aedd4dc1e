// Package fairshare gives a bounded number of places to devices of many applications. At the bound whoever has the most gives way:
// neither can one device take every place of its application, nor one application every place there is.
package fairshare
