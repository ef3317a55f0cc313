// Overload repeats one call, in a closed loop of callers or at a given rate whatever the answers, and prints
// the figures as JSON.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"pegcount-load-client/rawrpc"
)

const tick = time.Millisecond

type figures struct {
	Calls    int            `json:"calls"`
	Seconds  float64        `json:"seconds"`
	P50Ms    float64        `json:"p50_ms"`
	P99Ms    float64        `json:"p99_ms"`
	Statuses map[string]int `json:"statuses"`
	// Messages has the first message of each status other than OK.
	Messages map[string]string `json:"messages"`
}

// load is the call to repeat, with the outcomes so far.
type load struct {
	connections []*rawrpc.Connection
	method      string
	request     []byte
	timeout     time.Duration

	lock      sync.Mutex
	latencies []time.Duration
	statuses  map[string]int
	messages  map[string]string
}

func main() {
	address := flag.String("address", "", "HOST:PORT of the server")
	method := flag.String("method", "", "/package.Service/Method, a unary one")
	request := flag.String("request", "", "file with the encoded request")
	connections := flag.Int("connections", 4, "number of connections")
	callers := flag.Int("callers", 0, "callers of a closed loop; 0 for an open loop")
	rate := flag.Float64("rate", 0, "calls per second of an open loop")
	length := flag.Duration("length", 5*time.Second, "time in which calls begin")
	timeout := flag.Duration("timeout", 2*time.Second, "deadline of each call")
	flag.Parse()
	l := &load{method: *method, timeout: *timeout, statuses: map[string]int{}, messages: map[string]string{}}
	if err := l.prepare(*address, *request, *connections); err != nil {
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

func (l *load) prepare(address, requestFile string, connections int) (err error) {
	if l.request, err = os.ReadFile(requestFile); err != nil {
		return err
	}
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
	for number := range callers {
		running.Go(func() {
			for time.Now().Before(end) {
				l.call(number)
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
			running.Go(func() { l.call(number) })
		}
		time.Sleep(tick)
	}
	running.Wait()
}

func (l *load) call(number int) {
	ctx, cancel := context.WithTimeout(context.Background(), l.timeout)
	defer cancel()
	begin := time.Now()
	err := l.connections[number%len(l.connections)].Call(ctx, l.method, l.request)
	latency := time.Since(begin)
	code := status.Code(err)
	if code == codes.Internal && latency > l.timeout {
		// The deadline passed on the server first, which ended the call in the middle of its answer.
		code = codes.DeadlineExceeded
	}
	l.lock.Lock()
	defer l.lock.Unlock()
	l.latencies = append(l.latencies, latency)
	name := code.String()
	if l.statuses[name]++; l.statuses[name] == 1 && err != nil {
		l.messages[name] = status.Convert(err).Message()
	}
}

func (l *load) figures(length time.Duration) figures {
	slices.Sort(l.latencies)
	at := func(share float64) float64 {
		return float64(l.latencies[int(share*float64(len(l.latencies)-1))].Microseconds()) / 1e3
	}
	return figures{len(l.latencies), length.Seconds(), at(0.5), at(0.99), l.statuses, l.messages}
}
