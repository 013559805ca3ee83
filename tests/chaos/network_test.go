package chaos

import "testing"

// TestNetworkTranslates: a relay reads its own ports wherever a server names
// one, however the bytes come, and nothing else is changed.
func TestNetworkTranslates(t *testing.T) {
	n := &network{ports: map[string]string{"34001": "45001", "34002": "45002"}}
	for _, c := range []struct{ from, to string }{
		{"*4\r\n:0\r\n:5460\r\n*3\r\n$9\r\n127.0.0.1\r\n:34001\r\n", "*4\r\n:0\r\n:5460\r\n*3\r\n$9\r\n127.0.0.1\r\n:45001\r\n"},
		{"-MOVED 3999 127.0.0.1:34002\r\n", "-MOVED 3999 127.0.0.1:45002\r\n"},
		{"*2\r\n$9\r\n127.0.0.1\r\n$5\r\n34001\r\n", "*2\r\n$9\r\n127.0.0.1\r\n$5\r\n45001\r\n"},
		{"relay 127.0.0.1 34001 127.0.0.1 34002\r\n", "relay 127.0.0.1 45001 127.0.0.1 45002\r\n"},
		{"$13\r\n{\"n\":   34001}\r\n", "$13\r\n{\"n\":   34001}\r\n"},
		{":34003\r\n", ":34003\r\n"},
	} {
		for size := 1; size <= len(c.from); size++ {
			translate, got := n.translator(), ""
			for rest := c.from; rest != ""; {
				piece := rest[:min(size, len(rest))]
				rest = rest[len(piece):]
				got += string(translate([]byte(piece)))
			}
			if got != c.to {
				t.Errorf("in pieces of %d: %q became %q, want %q", size, c.from, got, c.to)
			}
		}
	}
}
