package config_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"relay/cmd/relay/internal/config"
)

func TestSecretSources(t *testing.T) {
	f := files{"secret": goodSecret + "\n", "keys": "one\n two,three \r\n", "url": "redis://h:1\r\n"}
	for name, c := range map[string]*config.Config{
		"flag":        load(t, "--jwt-secret-file secret --api-keys-file keys --redis-url-file url", "", f),
		"environment": load(t, "", "RELAY_JWT_SECRET_FILE=secret RELAY_API_KEYS_FILE=keys RELAY_REDIS_URL_FILE=url", f),
		"file": load(t, "--config c", "", files{
			"c":      "jwt_secret_file: secret\napi_keys_file: keys\nredis_url_file: url\n",
			"secret": f["secret"], "keys": f["keys"], "url": f["url"],
		}),
		"as text": load(t, "--jwt-secret "+goodSecret+" --redis-url redis://h:1", "RELAY_API_KEYS=one,two,three", nil),
	} {
		if got := c.JWTSecret.Get(); got != goodSecret {
			t.Errorf("%s: jwt_secret %q", name, got)
		}
		if got := c.APIKeys.List(); strings.Join(got, "|") != "one|two|three" {
			t.Errorf("%s: api_keys %q", name, got)
		}
		if got := c.RedisURL.Get(); got != "redis://h:1" {
			t.Errorf("%s: redis_url %q", name, got)
		}
	}
}

func TestBadSecrets(t *testing.T) {
	const leak = "hunter2"
	f := files{"short": leak, "empty": "\n", "good": goodSecret, "c": "jwt_secret: " + goodSecret, "keys": leak + " " + leak}
	for _, tt := range []struct{ args, environ, want string }{
		{"--jwt-secret-file none", "", `--jwt-secret-file: the file "none" cannot be read: file does not exist`},
		{"", "RELAY_JWT_SECRET_FILE=short", `RELAY_JWT_SECRET_FILE: the file "short" is unfit: a secret of 7 bytes can be guessed`},
		{"--jwt-secret-file empty", "", `--jwt-secret-file: the file "empty" is empty`},
		{"--jwt-secret " + leak, "", "--jwt-secret: a secret of 7 bytes"},
		{"--jwt-secret-file good", "RELAY_JWT_SECRET=" + goodSecret, "--jwt-secret-file: jwt_secret is given twice: as a file here, and as text by environment RELAY_JWT_SECRET"},
		{"--config c", "RELAY_JWT_SECRET_FILE=good", "RELAY_JWT_SECRET_FILE: jwt_secret is given twice: as a file here, and as text by c:1"},
		{"--api-keys-file keys", "", `--api-keys-file: the file "keys" is unfit: key 1 of 1 holds white space`},
		{"", "RELAY_API_KEYS=ok,schlüssel", "RELAY_API_KEYS: key 2 of 2 holds"},
		{"", "RELAY_API_KEYS=,", ""},
		{"--redis-url redis://:" + leak + "/x@h", "", "--redis-url: it is not a URL that can be read"},
		{"--redis-url redis://" + leak + "/x@h", "", "--redis-url: its database number"},
		{"--redis-url redis://a:1,b:1", "", "--redis-url: it names several hosts with a comma"},
		{"--redis-url localhost:6379", "", "--redis-url: it does not begin with redis://"},
		{"--redis-url redis:///", "", "--redis-url: it names no host"},
		{"--redis-url unix://", "", "--redis-url: it names no socket"},
		{"--redis-url redis://h?dial_timeout=" + leak, "", "--redis-url: its database number or one of its options"},
	} {
		c, err := config.Load(words(tt.args), words(tt.environ), f.read)
		if tt.want == "" {
			if err != nil || c.APIKeys.IsSet() {
				t.Errorf("%q %q: %v", tt.args, tt.environ, err)
			}
			continue
		}
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%q %q:\n got %v\nwant %s", tt.args, tt.environ, err, tt.want)
		}
		var ps config.Problems
		if errors.As(err, &ps) && (strings.Contains(fmt.Sprint(ps), leak) || strings.Contains(ps[0].Hint, leak)) {
			t.Errorf("%q %q: the secret stands in the message: %v", tt.args, tt.environ, ps)
		}
	}
}

// An explicit nothing is no second value.
func TestEmptySecretDoesNotContradictItsFile(t *testing.T) {
	c := load(t, "--jwt-secret= --jwt-secret-file s", "", files{"s": goodSecret})
	if c.JWTSecret.Get() != goodSecret {
		t.Errorf("got %q", c.JWTSecret.Get())
	}
	c = load(t, "--jwt-secret-file=", "RELAY_JWT_SECRET="+goodSecret, nil)
	if c.JWTSecret.Get() != goodSecret {
		t.Errorf("got %q", c.JWTSecret.Get())
	}
}

// changing is a file that changes, and counts how often it is read.
type changing struct {
	mu      sync.Mutex
	content string
	err     error
	reads   int
}

func (f *changing) set(content string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.content, f.err = content, err
}

func (f *changing) read(string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	return []byte(f.content), f.err
}

func TestSecretFollowsItsFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := strings.ToUpper(goodSecret)
		f := &changing{content: goodSecret}
		c, err := config.Load(words("--jwt-secret-file /run/secret"), nil, f.read)
		if err != nil {
			t.Fatal(err)
		}
		var reports []string
		c.WatchSecrets(func(err error) { reports = append(reports, err.Error()) })

		expect := func(when, want string, wantReports int) {
			t.Helper()
			if got := c.JWTSecret.Get(); got != want {
				t.Errorf("%s: %q, want %q", when, got, want)
			}
			if len(reports) != wantReports {
				t.Errorf("%s: %d reports: %q", when, len(reports), reports)
			}
		}

		f.set(other, nil)
		expect("within the second", goodSecret, 0)
		time.Sleep(time.Second)
		expect("after the second", other, 0)

		before := f.reads
		for range 1000 {
			c.JWTSecret.Get()
		}
		if f.reads != before {
			t.Errorf("read %d times within a second", f.reads-before)
		}

		f.set("", errors.New("disk on fire"))
		time.Sleep(time.Second)
		expect("unreadable", other, 1)
		time.Sleep(time.Second)
		expect("still unreadable", other, 1)
		if want := `the file "/run/secret" cannot be read: disk on fire`; reports[0] != want {
			t.Errorf("reported %q, want %q", reports[0], want)
		}

		f.set(goodSecret, nil)
		time.Sleep(time.Second)
		expect("readable again", goodSecret, 1)

		f.set("", nil)
		time.Sleep(time.Second)
		expect("emptied", goodSecret, 2)
		f.set("short", nil)
		time.Sleep(time.Second)
		expect("too short", goodSecret, 2)
	})
}

func TestSecretIsReadByManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &changing{content: goodSecret}
		s, err := config.OpenSecret("f", f.read, config.CheckSecret)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 20 {
					if s.Get() != goodSecret {
						t.Error("another value")
					}
					time.Sleep(300 * time.Millisecond)
				}
			})
		}
		wg.Wait()
	})
}

// A file system that hangs must not take everybody with it.
func TestSecretDoesNotWaitForASlowFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		first := true
		read := func(string) ([]byte, error) {
			if first {
				first = false
				return []byte(goodSecret), nil
			}
			<-hang
			return []byte(goodSecret), nil
		}
		s, err := config.OpenSecret("f", read, config.CheckSecret)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		go s.Get()
		synctest.Wait() // that one hangs now
		if s.Get() != goodSecret {
			t.Error("another value")
		}
		close(hang)
	})
}

func TestSecretHidesItself(t *testing.T) {
	s := config.NewSecret(goodSecret)
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s)
	shown := fmt.Sprintf("%v %+v %#v %s %q %x", s, s, s, s, s, s) + log.String()
	if strings.Contains(shown, goodSecret) || strings.Contains(shown, fmt.Sprintf("%x", goodSecret)) {
		t.Errorf("the secret shows: %s", shown)
	}
	var none *config.Secret
	if none.IsSet() || none.Get() != "" || none.String() != "(not set)" {
		t.Error("a nil secret is set")
	}
}
