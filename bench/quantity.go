package bench

import "slices"

// Quantity explains a name in a report.
type Quantity struct {
	Name  string `json:"name"`
	Label string `json:"label"`
	Unit  string `json:"unit"`
	// Compared: the relay's value over the other target's says something.
	Compared bool `json:"compared"`
}

// Names of quantities.
const (
	cpuPerDelivery   = "cpu_per_delivery"
	userPerDelivery  = "user_per_delivery"
	sysPerDelivery   = "system_per_delivery"
	cpuPerEvent      = "cpu_per_event"
	redisPerEvent    = "redis_cpu_per_event"
	cpuPerConnection = "cpu_per_connection"
	wireBytes        = "bytes_per_delivery"
	compressedShare  = "compressed"
	deliveriesRate   = "deliveries_per_s"
	eventsRate       = "events_per_s"
	connectionsRate  = "connections_per_s"
	latencyP50       = "latency_p50"
	latencyP99       = "latency_p99"
	latencyP999      = "latency_p999"
	postP50          = "post_p50"
	postP99          = "post_p99"
	connectP50       = "connect_p50"
	connectP99       = "connect_p99"
	coresUsed        = "cores"
	memoryUsed       = "memory"
	memoryPerConn    = "memory_per_connection"
	memoryCollected  = "memory_per_connection_collected"
	livePerConn      = "live_per_connection"
	goroutineCount   = "goroutines"
	idleCPU          = "idle_cpu"
	generatorCPU     = "generator_cpu_per_delivery"
	generatorCores   = "generator_cores"
	generatorBusy    = "generator_busy"
	generatorLate    = "generator_late_p99"
	machineBusy      = "machine_busy"
)

// quantities are in the order in which a report lists them.
var quantities = []Quantity{
	{cpuPerDelivery, "CPU per delivery", "µs", true},
	{userPerDelivery, "… in the program", "µs", true},
	{sysPerDelivery, "… in the kernel", "µs", true},
	{cpuPerEvent, "CPU per event", "µs", true},
	{redisPerEvent, "Redis's CPU per event", "µs", false},
	{cpuPerConnection, "CPU per connection made", "µs", true},
	{wireBytes, "bytes received per delivery", "B", true},
	{compressedShare, "deliveries that came compressed", "%", false},
	{deliveriesRate, "deliveries", "/s", true},
	{eventsRate, "events", "/s", true},
	{connectionsRate, "connections made", "/s", true},
	{latencyP50, "from POST to client, median", "ms", true},
	{latencyP99, "from POST to client, 99 %", "ms", true},
	{latencyP999, "from POST to client, 99.9 %", "ms", true},
	{postP50, "answer to a POST, median", "ms", true},
	{postP99, "answer to a POST, 99 %", "ms", true},
	{connectP50, "until subscribed, median", "ms", true},
	{connectP99, "until subscribed, 99 %", "ms", true},
	{memoryUsed, "resident memory", "MB", false},
	{memoryPerConn, "memory per connection, as is", "KB", true},
	{memoryCollected, "memory per connection, without garbage", "KB", true},
	{livePerConn, "objects and stacks per connection", "KB", false},
	{goroutineCount, "goroutines", "", false},
	{idleCPU, "CPU while idle", "% of a core", true},
	{coresUsed, "cores kept busy", "", true},
	{generatorCPU, "load tester: CPU per delivery", "µs", false},
	{generatorCores, "load tester: cores kept busy", "", false},
	{generatorBusy, "load tester: its busiest reader", "% of a core", false},
	{generatorLate, "load tester: POSTs sent late, 99 %", "ms", false},
	{machineBusy, "all cores of the machine", "% busy", false},
}

func isCompared(name string) bool {
	return slices.ContainsFunc(quantities, func(q Quantity) bool { return q.Name == name && q.Compared })
}

func unitOf(name string) string {
	for _, q := range quantities {
		if q.Name == name {
			return q.Unit
		}
	}
	return ""
}
