// Idle writes a batch, idles, writes again over the same stream, idles without a call and checks the health.
// It fails if any of this fails, or if the connection did not last all the time.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"pegcount-load-client/rawrpc"
)

func main() {
	address := flag.String("address", "", "HOST:PORT of the server")
	batch := flag.String("batch", "", "file with an encoded WriteRecordsRequest")
	withStream := flag.Duration("with-stream", 2*time.Minute, "idle time within the stream")
	without := flag.Duration("without", 40*time.Second, "idle time after the stream")
	flag.Parse()
	if err := run(*address, *batch, *withStream, *without); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ok")
}

func run(address, batchFile string, withStream, without time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), withStream+without+time.Minute)
	defer cancel()
	batch, err := os.ReadFile(batchFile)
	if err != nil {
		return err
	}
	connection, err := rawrpc.Dial(address, "")
	if err != nil {
		return err
	}
	if err := writeTwice(ctx, connection, batch, withStream); err != nil {
		return err
	}
	time.Sleep(without)
	if err := connection.Check(ctx); err != nil {
		return fmt.Errorf("after %v without a call: %w", without, err)
	}
	if ended := connection.Ended(); ended > 0 {
		return fmt.Errorf("%d connections ended", ended)
	}
	return nil
}

func writeTwice(ctx context.Context, connection *rawrpc.Connection, batch []byte, pause time.Duration) error {
	stream, err := connection.OpenStream(ctx)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	if err := stream.Write(batch); err != nil {
		return fmt.Errorf("first batch: %w", err)
	}
	time.Sleep(pause)
	if err := stream.Write(batch); err != nil {
		return fmt.Errorf("batch after %v: %w", pause, err)
	}
	if err := stream.Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	if _, err := stream.Read(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("end of the stream: %w", err)
	}
	return nil
}
