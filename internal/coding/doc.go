// Package coding undoes the content codings of HTTP and CoAP (RFC 9110 section 8.4) within bounds: nobody is made to unpack
// more than a body may have.
package coding
