package registry

import "strings"

// maxNearName bounds the names that are compared, in bytes.
const maxNearName = 64

// Nearest is the known name that somebody probably meant by another one, or "". Case, hyphens and underscores make no
// difference, nor does the ending of a plural. Beyond that, a long name may be written with two or three mistakes, one of
// middle length with one. In a short one a letter may be too many, missing or in the place of its neighbour, but not
// another one: "code" is not "core".
func Nearest(name string, known []string) string {
	if name == "" || len(name) > maxNearName {
		return ""
	}
	best, least := "", len(name)
	for _, candidate := range known {
		a, b := folded(name), folded(candidate)
		distance := mistakes(a, b)
		if a == b+"es" {
			distance = 1
		}
		if distance < least && near(a, b, distance) {
			best, least = candidate, distance
		}
	}
	return best
}

// near tells whether so many mistakes make one name of the other.
func near(name, candidate string, distance int) bool {
	switch n := len(candidate); {
	case n >= 12:
		return distance <= 3
	case n >= 8:
		return distance <= 2
	case n >= 5 || len(name) != n:
		return distance <= 1
	default:
		return distance == 0 || distance == 1 && swapped(name, candidate)
	}
}

func folded(name string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "", " ", "").Replace(name))
}

// swapped tells whether two texts differ in the order of two neighbours only.
func swapped(a, b string) bool {
	for i := 0; i+1 < len(a); i++ {
		if a[i] != b[i] {
			return a[i] == b[i+1] && a[i+1] == b[i]
		}
	}
	return false
}

// mistakes is the number of bytes that are too many, missing, other ones, or swapped with their neighbour, between two
// texts (the optimal string alignment distance).
func mistakes(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
