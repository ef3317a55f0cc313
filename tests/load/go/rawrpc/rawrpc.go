// Package rawrpc calls the service with messages that are already encoded, so that no generated code is needed.
package rawrpc

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/stats"
)

const (
	writeRecords = "/pegcount.v1.RecordService/WriteRecords"
	healthCheck  = "/grpc.health.v1.Health/Check"
	// answerBytesMax is the limit of the server, not the lower default of gRPC clients.
	answerBytesMax = 64 * 1024 * 1024
)

// codec passes bytes through; the server sees the name of protobuf, which it expects.
type codec struct{}

func (codec) Marshal(message any) ([]byte, error) { return *message.(*[]byte), nil }

func (codec) Unmarshal(data []byte, message any) error {
	*message.(*[]byte) = append([]byte(nil), data...)
	return nil
}

func (codec) Name() string { return "proto" }

// Connection is a channel that counts the connections that ended.
type Connection struct {
	channel *grpc.ClientConn
	ended   atomic.Int32
}

// Dial prepares a connection from a local address, or from any if it is empty. Pings go out every 10 s, also
// without a call, and must be answered within 5 s.
func Dial(address, local string) (*Connection, error) {
	connection := &Connection{}
	dialer := net.Dialer{}
	if local != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(local)}
	}
	pings := keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second, PermitWithoutStream: true}
	channel, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithKeepaliveParams(pings),
		grpc.WithStatsHandler(connection),
		grpc.WithContextDialer(func(ctx context.Context, target string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", target)
		}),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(codec{}), grpc.MaxCallRecvMsgSize(answerBytesMax)))
	connection.channel = channel
	return connection, err
}

// Ended returns how many connections ended: a server that sends GOAWAY ends one, and the next call reconnects.
func (c *Connection) Ended() int { return int(c.ended.Load()) }

// Check makes a health check.
func (c *Connection) Check(ctx context.Context) error {
	return c.Call(ctx, healthCheck, nil)
}

// Call makes a unary call and drops the answer.
func (c *Connection) Call(ctx context.Context, method string, request []byte) error {
	var answer []byte
	return c.channel.Invoke(ctx, method, &request, &answer)
}

// Stream is an open call of WriteRecords.
type Stream struct{ stream grpc.ClientStream }

// OpenStream begins to write records.
func (c *Connection) OpenStream(ctx context.Context) (*Stream, error) {
	description := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
	stream, err := c.channel.NewStream(ctx, description, writeRecords)
	return &Stream{stream}, err
}

// Write sends a batch and waits for its answer.
func (s *Stream) Write(batch []byte) error {
	// An error of SendMsg says only that the stream has ended; RecvMsg returns the status.
	_ = s.stream.SendMsg(&batch)
	answer, err := s.Read()
	if err == nil && len(answer) == 0 {
		return fmt.Errorf("the answer is empty")
	}
	return err
}

// Read waits for the next answer, or for the end of the stream.
func (s *Stream) Read() ([]byte, error) {
	var answer []byte
	err := s.stream.RecvMsg(&answer)
	return answer, err
}

// Close says that no batch follows.
func (s *Stream) Close() error { return s.stream.CloseSend() }

// TagRPC, HandleRPC, TagConn and HandleConn are those of stats.Handler.
func (c *Connection) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

func (c *Connection) HandleRPC(context.Context, stats.RPCStats) {}

func (c *Connection) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func (c *Connection) HandleConn(_ context.Context, event stats.ConnStats) {
	if _, ended := event.(*stats.ConnEnd); ended {
		c.ended.Add(1)
	}
}
