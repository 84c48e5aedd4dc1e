// Package gather has things done together that come while others are being done, such as writes that can share a commit.
package gather
