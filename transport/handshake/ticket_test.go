package handshake_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"relay/auth"
	"relay/event"
	"relay/transport/handshake"
)

func newTickets(secret string) *auth.Tickets {
	return auth.NewTickets(func() []byte { return []byte(secret) })
}

func TestReadmit(t *testing.T) {
	tickets := newTickets(testSecret)
	p := newPolicy(t, handshake.Options{Tokens: newVerifier(), Tickets: tickets, Public: []event.Pattern{"news"}})
	grant, err := p.Verify(mint(t, "ana", "room.*"))
	if err != nil {
		t.Fatal(err)
	}
	good, bad := p.Ticket(grant), newTickets("another secret that is long enough").Seal(grant, time.Now())
	if good == "" || bad == "" {
		t.Fatal("no tickets")
	}
	token := mint(t, "bob", "hall")
	for name, c := range map[string]struct {
		target, header string
		user           string // empty: nobody's
		refused        bool
	}{
		"ticket":                      {"/v1/ws?ticket=" + good, "", "ana", false},
		"ticket before token":         {"/v1/ws?token=" + token + "&ticket=" + good, "", "ana", false},
		"ticket before a bad token":   {"/v1/ws?token=nonsense&ticket=" + good, "", "ana", false},
		"neither":                     {"/v1/ws", "", "", false},
		"an empty ticket":             {"/v1/ws?ticket=", "", "", false},
		"bad ticket":                  {"/v1/ws?ticket=" + bad, "", "", true},
		"nonsense":                    {"/v1/ws?ticket=x", "", "", true},
		"bad ticket, token":           {"/v1/ws?ticket=" + bad + "&token=" + token, "", "bob", false},
		"bad ticket, token in header": {"/v1/ws?ticket=" + bad, "Bearer " + token, "bob", false},
		"bad ticket, bad token":       {"/v1/ws?ticket=" + bad + "&token=nonsense", "", "", true},
		"a token as ticket":           {"/v1/ws?ticket=" + token, "", "", true},
		"a ticket as token":           {"/v1/ws?token=" + good, "", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			r := request("relay.example", c.target)
			if c.header != "" {
				r.Header.Set("Authorization", c.header)
			}
			access, refusal := p.Readmit(r)
			if c.refused {
				wantProblem(t, refusal, http.StatusUnauthorized, event.CodeTokenInvalid)
				return
			}
			wantProblem(t, refusal, 0, "")
			if access.Grant.User != c.user || access.Presented != (c.user != "") {
				t.Errorf("got %+v, want the user %q", access, c.user)
			}
			if !access.Grant.Allows("news") || access.Grant.Allows("room.1") != (c.user == "ana") {
				t.Errorf("the grant of %q is %v", c.user, access.Grant.Subscribe)
			}
		})
	}
}

// What everyone may have on this relay does not travel in a ticket.
func TestTicketHoldsTheTokensOwn(t *testing.T) {
	tickets := newTickets(testSecret)
	here := newPolicy(t, handshake.Options{Tokens: newVerifier(), Tickets: tickets, Public: []event.Pattern{"old.*"}})
	there := newPolicy(t, handshake.Options{Tokens: newVerifier(), Tickets: tickets, Public: []event.Pattern{"news"}})
	grant, err := here.Verify(mint(t, "ana", "room"))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // from relay to relay
		access, refusal := there.Readmit(request("relay.example", "/v1/ws?ticket="+here.Ticket(grant)))
		wantProblem(t, refusal, 0, "")
		if want := []event.Pattern{"room", "news"}; !slices.Equal(access.Grant.Subscribe, want) {
			t.Fatalf("there: %v, want %v", access.Grant.Subscribe, want)
		}
		grant, here = access.Grant, there
	}
}

func TestNoTicket(t *testing.T) {
	with := newPolicy(t, handshake.Options{Tokens: newVerifier(), Tickets: newTickets(testSecret), Open: true})
	access, _ := with.Authenticate(request("relay.example", "/v1/ws"))
	if ticket := with.Ticket(access.Grant); ticket != "" {
		t.Errorf("a client without a token gets the ticket %q", ticket)
	}
	without := newPolicy(t, handshake.Options{Tokens: newVerifier()})
	grant, err := without.Verify(mint(t, "ana", "room"))
	if err != nil {
		t.Fatal(err)
	}
	if ticket := without.Ticket(grant); ticket != "" {
		t.Errorf("a policy without tickets gives %q", ticket)
	}
	_, refusal := without.Readmit(request("relay.example", "/v1/ws?ticket=x"))
	wantProblem(t, refusal, http.StatusUnauthorized, event.CodeTokenInvalid)

	open := newPolicy(t, handshake.Options{Open: true})
	if _, refusal := open.Readmit(request("relay.example", "/v1/ws?ticket=x")); refusal != nil {
		t.Errorf("a relay that takes no tokens looks at a ticket: %v", refusal)
	}
}
