// Package nearest finds what a mistyped word may have meant.
package nearest

// Words returns the candidates closest to word, best first, at most three:
// those within a third of the word's length in edits (at least two, but not as
// many as it has letters) and within two of the closest, and those that word is a
// prefix of.
func Words(word string, candidates []string) []string {
	limit := min(max(2, len(word)/3), len(word)-1)
	type scored struct {
		text  string
		edits int
	}
	var near []scored
	for _, c := range candidates {
		d := edits(word, c)
		if len(word) >= 3 && len(c) > len(word) && c[:len(word)] == word {
			d = min(d, 1)
		}
		if d <= limit {
			near = append(near, scored{c, d})
		}
	}
	// Insertion sort by distance keeps the order of candidates among equals.
	for i := 1; i < len(near); i++ {
		for j := i; j > 0 && near[j].edits < near[j-1].edits; j-- {
			near[j], near[j-1] = near[j-1], near[j]
		}
	}
	var names []string
	for i := 0; i < len(near) && i < 3 && near[i].edits <= near[0].edits+2; i++ {
		names = append(names, near[i].text)
	}
	return names
}

// edits is the Damerau-Levenshtein distance (adjacent swaps count one).
func edits(a, b string) int {
	var before, previous []int
	current := make([]int, len(b)+1)
	for j := range current {
		current[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, previous, current = previous, current, make([]int, len(b)+1)
		current[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			current[j] = min(previous[j]+1, current[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				current[j] = min(current[j], before[j-2]+1)
			}
		}
	}
	return current[len(b)]
}
