// Writer opens a stream from a given local address, writes a batch, prints `open` once it is answered, and
// keeps the stream open until the server ends it or the time is over.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc/status"

	"pegcount-load-client/rawrpc"
)

func main() {
	address := flag.String("address", "", "HOST:PORT of the server")
	local := flag.String("local", "127.0.0.1", "address to connect from")
	batch := flag.String("batch", "", "file with an encoded WriteRecordsRequest")
	limit := flag.Duration("limit", 3*time.Minute, "time after which the program ends")
	flag.Parse()
	if err := run(*address, *local, *batch, *limit); err != nil {
		fmt.Println(status.Code(err), err)
		os.Exit(1)
	}
}

func run(address, local, batchFile string, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	batch, err := os.ReadFile(batchFile)
	if err != nil {
		return err
	}
	connection, err := rawrpc.Dial(address, local)
	if err != nil {
		return err
	}
	stream, err := connection.OpenStream(ctx)
	if err != nil {
		return err
	}
	if err := stream.Write(batch); err != nil {
		return err
	}
	fmt.Println("open")
	_, err = stream.Read()
	return err
}
