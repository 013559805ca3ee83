package config

import (
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"relay/cmd/relay/internal/flags"
	"relay/event"
)

// value binds a setting to its field of Config.
type value struct {
	// placeholder stands for the value in help: "HOST:PORT".
	placeholder string
	// accepts says in which shapes the YAML file may hold it.
	accepts shape
	// set parses and stores. A scalar comes as one item. The error is a
	// *Problem without Where, and never repeats a secret.
	set func(c *Config, items []string) error
	// show returns the value in force as YAML. plain is false if it must not
	// be fed back as it is, because something in it is hidden.
	show func(c *Config) (text string, plain bool)
	// fromFile, for secrets, is the value of the companion.
	fromFile func() value
}

// shape is a set of YAML node types.
type shape uint8

const (
	shapeText shape = 1 << iota
	shapeNumber
	shapeBool
	shapeList
)

func (v *value) isList() bool { return v.accepts&shapeList != 0 }

// scalar binds a value of one item.
func scalar[T any](v value, field func(*Config) *T, parse func(string) (T, error), show func(T) string) value {
	v.set = func(c *Config, items []string) error {
		parsed, err := parse(items[0])
		if err == nil {
			*field(c) = parsed
		}
		return err
	}
	v.show = func(c *Config) (string, bool) { return show(*field(c)), true }
	return v
}

// list binds a value of several items.
func list[T ~string](v value, field func(*Config) *[]T, parse func(string) (T, error)) value {
	v.accepts = shapeList
	v.set = func(c *Config, items []string) error {
		var all []T
		for _, item := range items {
			one, err := parse(item)
			if err != nil {
				return err
			}
			all = append(all, one)
		}
		*field(c) = all
		return nil
	}
	v.show = func(c *Config) (string, bool) {
		quoted := make([]string, len(*field(c)))
		for i, item := range *field(c) {
			quoted[i] = quote(string(item))
		}
		return "[" + strings.Join(quoted, ", ") + "]", true
	}
	return v
}

func address(field func(*Config) *string) value {
	return scalar(value{placeholder: "HOST:PORT", accepts: shapeText}, field, parseAddress, quote)
}

func publicPath(field func(*Config) *string) value {
	return scalar(value{placeholder: "PATH", accepts: shapeText}, field, parsePublicPath, quote)
}

func redisPrefix(field func(*Config) *string) value {
	return scalar(value{placeholder: "TEXT", accepts: shapeText}, field, parsePrefix, quote)
}

func generation(field func(*Config) *string) value {
	return scalar(value{placeholder: "NAME", accepts: shapeText | shapeNumber}, field, parseGeneration, quote)
}

func boolean(field func(*Config) *bool) value {
	return scalar(value{placeholder: "", accepts: shapeBool}, field, parseBool, strconv.FormatBool)
}

func integer(field func(*Config) *int, low, high int) value {
	parse := func(s string) (int, error) { return parseInteger(s, low, high) }
	return scalar(value{placeholder: "N", accepts: shapeNumber}, field, parse, strconv.Itoa)
}

func size(field func(*Config) *int, low, high int) value {
	parse := func(s string) (int, error) { return parseSize(s, low, high) }
	return scalar(value{placeholder: "SIZE", accepts: shapeNumber | shapeText}, field, parse, formatSize)
}

func duration(field func(*Config) *time.Duration, low time.Duration) value {
	parse := func(s string) (time.Duration, error) { return parseDuration(s, low) }
	return scalar(value{placeholder: "DURATION", accepts: shapeText | shapeNumber}, field, parse, flags.FormatDuration)
}

func patterns(field func(*Config) *[]event.Pattern) value {
	return list(value{placeholder: "PATTERN,…"}, field, func(s string) (event.Pattern, error) {
		p, err := event.ParsePattern(s)
		if err != nil {
			return "", unfit(err.Error(), "")
		}
		return p, nil
	})
}

func origins(field func(*Config) *[]string) value {
	return list(value{placeholder: "ORIGIN,…"}, field, parseOrigin)
}

// toggle is a switch that can be left to the relay.
type toggle int8

const (
	toggleAuto toggle = iota
	toggleOn
	toggleOff
)

func onOffAuto(field func(*Config) *toggle) value {
	parse := func(s string) (toggle, error) {
		if s == "auto" {
			return toggleAuto, nil
		}
		on, err := parseBool(s)
		if err != nil {
			return 0, unfit(quote(s)+" is none of auto, true and false", "")
		}
		if on {
			return toggleOn, nil
		}
		return toggleOff, nil
	}
	show := func(t toggle) string { return [...]string{"auto", "true", "false"}[t] }
	return scalar(value{placeholder: "", accepts: shapeBool | shapeText}, field, parse, show)
}

func logLevel() value {
	parse := func(s string) (level slog.Level, err error) {
		if !slices.Contains([]string{"debug", "info", "warn", "error"}, s) {
			return 0, unfit(quote(s)+" is none of debug, info, warn and error", "")
		}
		return level, level.UnmarshalText([]byte(s))
	}
	show := func(l slog.Level) string { return strings.ToLower(l.String()) }
	field := func(c *Config) *slog.Level { return &c.LogLevel }
	return scalar(value{placeholder: "LEVEL", accepts: shapeText}, field, parse, show)
}

func logFormat() value {
	parse := func(s string) (LogFormat, error) {
		f := LogFormat(s)
		if f != LogAuto && f != LogText && f != LogJSON {
			return "", unfit(quote(s)+" is none of auto, text and json", "")
		}
		return f, nil
	}
	show := func(f LogFormat) string { return string(f) }
	field := func(c *Config) *LogFormat { return &c.LogFormat }
	return scalar(value{placeholder: "FORMAT", accepts: shapeText}, field, parse, show)
}

func redisURL(field func(*Config) **Secret) value {
	v := secret("URL", shapeText, field, checkRedisURL)
	hidden := v.show
	v.show = func(c *Config) (string, bool) {
		s := *field(c)
		if !s.IsSet() {
			return hidden(c)
		}
		shown, had := hidePassword(s.Get())
		return quote(shown), !had
	}
	return v
}

func jwtSecret(field func(*Config) **Secret) value {
	return secret("SECRET", shapeText, field, checkJWTSecret)
}

func apiKeys(field func(*Config) **Secret) value {
	return secret("KEY,…", shapeList, field, checkAPIKeys)
}

// secret binds a secret and its companion. check judges a value that is not
// empty; its errors never repeat it.
func secret(placeholder string, accepts shape, field func(*Config) **Secret, check func(string) *Problem) value {
	v := value{placeholder: placeholder, accepts: accepts}
	v.set = func(c *Config, items []string) error {
		// Keys hold no commas, so a list survives being one text.
		text := strings.Join(items, ",")
		if text != "" {
			if p := check(text); p != nil {
				return p
			}
		}
		*field(c) = NewSecret(text)
		return nil
	}
	v.show = func(c *Config) (string, bool) {
		if !(*field(c)).IsSet() {
			return "(not set)", false
		}
		return "(set, hidden)", false
	}
	v.fromFile = func() value {
		path := value{placeholder: "PATH", accepts: shapeText}
		path.set = func(c *Config, items []string) error {
			if items[0] == "" {
				return nil
			}
			s, err := openSecret(items[0], c.read, check)
			if err == nil {
				*field(c) = s
			}
			return err
		}
		path.show = func(c *Config) (string, bool) { return quote((*field(c)).path), true }
		return path
	}
	return v
}

// quote writes text so that YAML reads it back unchanged: Go's escapes are all
// among those of YAML's double-quoted style (YAML 1.2.2, 5.7).
func quote(s string) string { return strconv.Quote(s) }
