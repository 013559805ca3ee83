package event

// AppendCompact appends a JSON value to dst without the white space between
// its tokens, as an Event's Data must be. The value must be valid. (jsontext's
// own Compact would parse it a second time.)
func AppendCompact(dst, value []byte) []byte {
	inString := false
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case inString && c == '\\':
			dst = append(dst, c, value[i+1])
			i++
			continue
		case c == '"':
			inString = !inString
		case !inString && (c == ' ' || c == '\n' || c == '\r' || c == '\t'):
			continue
		}
		dst = append(dst, c)
	}
	return dst
}
