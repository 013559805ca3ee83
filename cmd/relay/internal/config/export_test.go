package config

// What the tests of this package look at from outside.
var (
	IsServiceLink = isServiceLink
	Quote         = quote
	OpenSecret    = openSecret
	CheckSecret   = checkJWTSecret
)

// ParseFile returns what a file gives for settings, and how many rules.
func ParseFile(name string, content []byte) (values map[string]fileValue, rules int, problems Problems) {
	file, problems := parseFile(name, content)
	return file.values, len(file.rules), problems
}

// Items returns what a file gave for a setting.
func (v fileValue) Items() []string { return v.items }
