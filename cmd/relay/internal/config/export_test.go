package config

// What the tests of this package look at from outside.
var (
	IsServiceLink = isServiceLink
	ParseFile     = parseFile
	Quote         = quote
	OpenSecret    = openSecret
	CheckSecret   = checkJWTSecret
)

// Items returns what a file gave for a setting.
func (v fileValue) Items() []string { return v.items }
