// Package measure holds the arithmetic of the load tester: a histogram of
// durations, the check that a numbered sequence arrived whole and in order,
// and the spread of repeated runs. It does no input or output.
package measure
