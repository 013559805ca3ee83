package process

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Metrics are values of /metrics by name. Those with labels are left out.
type Metrics map[string]float64

// scrapePatience is how long an answer may take; a relay under full load is slow
// to answer too.
const scrapePatience = 20 * time.Second

// Scrape reads the metrics of a relay from its ops listener.
func Scrape(ctx context.Context, opsURL string) (Metrics, error) {
	ctx, cancel := context.WithTimeout(ctx, scrapePatience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(opsURL, "/")+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("the relay's metrics cannot be read: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the relay's metrics cannot be read: it answered %s", response.Status)
	}
	return parseMetrics(response.Body)
}

func parseMetrics(r io.Reader) (Metrics, error) {
	m := make(Metrics)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if !ok || name == "" || strings.ContainsAny(name, "#{") {
			continue
		}
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			m[name] = n
		}
	}
	return m, lines.Err()
}
