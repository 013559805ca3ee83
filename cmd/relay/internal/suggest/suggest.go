// Package suggest finds what somebody meant who mistyped a word: the
// "did you mean" of commands, flags, settings and environment variables.
package suggest

// Nearest returns the candidate that differs least from word, and whether one
// is near enough to be worth a mention: one slip in three characters.
func Nearest(word string, candidates []string) (string, bool) {
	best, least := "", len(word)+1
	for _, c := range candidates {
		if d := distance(word, c); d < least {
			best, least = c, d
		}
	}
	return best, best != "" && least <= max(1, min(len(word), len(best))/3)
}

// distance counts the slips between two words: a byte too many, one too few,
// one wrong, or two neighbours swapped (the optimal string alignment
// distance; plain Levenshtein counts the commonest slip, a swap, as two).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			wrong := 1
			if a[i-1] == b[j-1] {
				wrong = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+wrong)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
