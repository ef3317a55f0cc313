// Overload repeats calls in turn, in a closed loop of callers or at a given rate whatever the answers, and prints
// the figures as JSON.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"pegcount-load-client/rawrpc"
)

const (
	tick = time.Millisecond
	// retryDelay is what the server asks for by default.
	retryDelay = time.Second
	retryInfo  = "type.googleapis.com/google.rpc.RetryInfo"
)

type figures struct {
	Calls   int     `json:"calls"`
	Seconds float64 `json:"seconds"`
	P50Ms   float64 `json:"p50_ms"`
	P99Ms   float64 `json:"p99_ms"`
	// Statuses has the calls of each status, by its name.
	Statuses map[string]statusFigures `json:"statuses"`
}

type statusFigures struct {
	Calls int     `json:"calls"`
	P50Ms float64 `json:"p50_ms"`
	P99Ms float64 `json:"p99_ms"`
	// WithRetryInfo counts the calls whose status says when to retry.
	WithRetryInfo int `json:"with_retry_info"`
	// Message is that of the first call.
	Message string `json:"message"`
}

// request is one call to make.
type request struct {
	method string
	data   []byte
}

// requests is a flag that may be given several times.
type requests []request

func (r *requests) String() string { return "" }

func (r *requests) Set(text string) error {
	method, file, _ := strings.Cut(text, ":")
	data, err := os.ReadFile(file)
	*r = append(*r, request{method, data})
	return err
}

// outcomes are those of all calls that ended with one status.
type outcomes struct {
	latencies     []time.Duration
	withRetryInfo int
	message       string
}

// load is the calls to repeat, with the outcomes so far.
type load struct {
	connections []*rawrpc.Connection
	requests    requests
	timeout     time.Duration
	// keys has the key that the calls of each connection send, in turn; none if it is empty.
	keys []string

	lock     sync.Mutex
	statuses map[string]*outcomes
}

func main() {
	address := flag.String("address", "", "HOST:PORT of the server")
	l := &load{statuses: map[string]*outcomes{}}
	flag.Var(&l.requests, "request", "/package.Service/Method:FILE of a unary call and its encoded request; may be repeated")
	connections := flag.Int("connections", 4, "number of connections")
	callers := flag.Int("callers", 0, "callers of a closed loop; 0 for an open loop")
	rate := flag.Float64("rate", 0, "calls per second of an open loop")
	flag.Func("key", "key of a credential, which connections take in turn; may be repeated", func(key string) error {
		l.keys = append(l.keys, key)
		return nil
	})
	length := flag.Duration("length", 5*time.Second, "time in which calls begin")
	flag.DurationVar(&l.timeout, "timeout", 2*time.Second, "deadline of each call")
	flag.Parse()
	if err := l.connect(*address, *connections); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	begin := time.Now()
	if *callers > 0 {
		l.closedLoop(*callers, begin.Add(*length))
	} else {
		l.openLoop(*rate, begin, *length)
	}
	_ = json.NewEncoder(os.Stdout).Encode(l.figures(*length))
}

func (l *load) connect(address string, connections int) error {
	for range connections {
		connection, err := rawrpc.Dial(address, "")
		if err != nil {
			return err
		}
		l.connections = append(l.connections, connection)
		if err := connection.Check(context.Background()); err != nil {
			return err
		}
	}
	return nil
}

func (l *load) closedLoop(callers int, end time.Time) {
	var running sync.WaitGroup
	var begun atomic.Int64
	for number := range callers {
		running.Go(func() {
			for time.Now().Before(end) {
				// A caller obeys, or its refused calls would be a load of their own.
				if l.call(number, int(begun.Add(1))) {
					time.Sleep(min(retryDelay, time.Until(end)))
				}
			}
		})
	}
	running.Wait()
}

// openLoop begins the calls that are due at each tick, so that slow answers do not slow the callers down.
func (l *load) openLoop(rate float64, begin time.Time, length time.Duration) {
	var running sync.WaitGroup
	number := 0
	for now := begin; now.Sub(begin) < length; now = time.Now() {
		for due := int(rate * now.Sub(begin).Seconds()); number < due; number++ {
			running.Go(func() { l.call(number, number/len(l.connections)) })
		}
		time.Sleep(tick)
	}
	running.Wait()
}

// call makes one of the calls over one of the connections, and returns whether its status says when to retry.
func (l *load) call(connection, request int) bool {
	ctx, cancel := context.WithTimeout(context.Background(), l.timeout)
	defer cancel()
	connection %= len(l.connections)
	if len(l.keys) > 0 {
		ctx = metadata.AppendToOutgoingContext(ctx, "x-api-key", l.keys[connection%len(l.keys)])
	}
	begin := time.Now()
	asked := l.requests[request%len(l.requests)]
	err := l.connections[connection].Call(ctx, asked.method, asked.data)
	latency := time.Since(begin)
	code := status.Code(err)
	if code == codes.Internal && latency > l.timeout {
		// The deadline passed on the server first, which ended the call in the middle of its answer.
		code = codes.DeadlineExceeded
	}
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.outcomesOf(code).add(latency, status.Convert(err))
}

func (l *load) outcomesOf(code codes.Code) *outcomes {
	found := l.statuses[code.String()]
	if found == nil {
		found = &outcomes{}
		l.statuses[code.String()] = found
	}
	return found
}

func (o *outcomes) add(latency time.Duration, ended *status.Status) (saysWhenToRetry bool) {
	if len(o.latencies) == 0 {
		o.message = ended.Message()
	}
	o.latencies = append(o.latencies, latency)
	for _, detail := range ended.Proto().GetDetails() {
		if detail.GetTypeUrl() == retryInfo {
			o.withRetryInfo++
			saysWhenToRetry = true
		}
	}
	return saysWhenToRetry
}

func (l *load) figures(length time.Duration) figures {
	var all []time.Duration
	statuses := map[string]statusFigures{}
	for name, one := range l.statuses {
		all = append(all, one.latencies...)
		p50, p99 := percentiles(one.latencies)
		statuses[name] = statusFigures{len(one.latencies), p50, p99, one.withRetryInfo, one.message}
	}
	p50, p99 := percentiles(all)
	return figures{len(all), length.Seconds(), p50, p99, statuses}
}

// percentiles returns the 50th and the 99th in milliseconds.
func percentiles(latencies []time.Duration) (p50, p99 float64) {
	slices.Sort(latencies)
	at := func(share float64) float64 {
		return float64(latencies[int(share*float64(len(latencies)-1))].Microseconds()) / 1e3
	}
	return at(0.5), at(0.99)
}
