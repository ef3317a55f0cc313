// Sends the requests of a file, lines of a method and JSON, and prints the answers as lines of JSON.
//
//	answers HOST:PORT REQUESTS
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	pegcountv1 "example.com/report/pegcount/v1"
)

const (
	timeout        = 30 * time.Second
	answerBytesMax = 64 << 20
)

func main() {
	requests, err := os.ReadFile(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	connection, err := grpc.NewClient(os.Args[1],
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(answerBytesMax)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}))
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	for _, line := range strings.Split(strings.TrimSpace(string(requests)), "\n") {
		method, request, _ := strings.Cut(line, " ")
		answer, err := call(connection, method, request)
		if err != nil {
			log.Fatalf("%s: %v", method, err)
		}
		fmt.Println(answer)
	}
}

func call(connection *grpc.ClientConn, name, requestJSON string) (string, error) {
	methods := pegcountv1.File_pegcount_v1_reports_proto.Services().ByName("ReportService").Methods()
	method := methods.ByName(protoreflect.Name(name))
	request, err := newMessage(method.Input())
	if err != nil {
		return "", err
	}
	answer, err := newMessage(method.Output())
	if err != nil {
		return "", err
	}
	if err := protojson.Unmarshal([]byte(requestJSON), request); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if err := connection.Invoke(ctx, "/pegcount.v1.ReportService/"+name, request, answer); err != nil {
		return "", err
	}
	answerJSON, err := protojson.Marshal(answer)
	return string(answerJSON), err
}

// newMessage returns an empty message of the generated type.
func newMessage(descriptor protoreflect.MessageDescriptor) (proto.Message, error) {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(descriptor.FullName())
	if err != nil {
		return nil, err
	}
	return kind.New().Interface(), nil
}
