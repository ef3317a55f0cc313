// Writes two calls of yesterday to a Pegcount server, and prints the origination quality of that day.
//
//	go run . 127.0.0.1:50051
package main

//go:generate protoc -I ../../proto --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative pegcount/v1/admin.proto pegcount/v1/error_reason.proto pegcount/v1/records.proto pegcount/v1/reports.proto

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pegcountv1 "example.com/report/pegcount/v1"
)

const (
	account = "example"
	timeout = 10 * time.Second
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: report HOST:PORT")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		// An error without a status has the code Unknown.
		fmt.Fprintf(os.Stderr, "%s: %s\n", status.Code(err), status.Convert(err).Message())
		os.Exit(1)
	}
}

func run(address string) error {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()

	yesterday := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -1)
	if err := writeCalls(ctx, pegcountv1.NewRecordServiceClient(connection), yesterday); err != nil {
		return err
	}
	return printQuality(ctx, pegcountv1.NewReportServiceClient(connection), yesterday)
}

func writeCalls(ctx context.Context, records pegcountv1.RecordServiceClient, day time.Time) error {
	answered := call("answered", day.Add(10*time.Hour))
	answered.AnswerTime = timestamppb.New(day.Add(10*time.Hour + 5*time.Second))
	batch := &pegcountv1.WriteRecordsRequest{
		Records: []*pegcountv1.SessionRecord{answered, call("missed", day.Add(11*time.Hour))},
	}
	stream, err := records.WriteRecords(ctx)
	if err != nil {
		return err
	}
	// If the server has ended the stream, Send returns io.EOF, and Recv the status.
	if err := stream.Send(batch); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Printf("written: %d accepted, %d replaced, %d duplicates, %d rejected\n", answer.GetAccepted(),
			answer.GetReplaced(), answer.GetDuplicates(), len(answer.GetRejected()))
		for _, rejected := range answer.GetRejected() {
			fmt.Printf("record %d: %s: %s\n", rejected.GetIndex(), rejected.GetReason(), rejected.GetDescription())
		}
	}
}

// call returns a call that ends 125 s after its setup.
func call(name string, setup time.Time) *pegcountv1.SessionRecord {
	return &pegcountv1.SessionRecord{
		Source:           proto.String("example"),
		SessionId:        proto.String(setup.Format(time.DateOnly) + "-" + name),
		SetupTime:        timestamppb.New(setup),
		EndTime:          timestamppb.New(setup.Add(125 * time.Second)),
		AccountId:        proto.String(account),
		SrcPrefixRouting: proto.String("12025550123"),
		DstPrefixRouting: proto.String("442079460123"),
		AuthOrigIp:       proto.String("192.0.2.10"),
	}
}

func printQuality(ctx context.Context, reports pegcountv1.ReportServiceClient, day time.Time) error {
	answer, err := reports.QueryOriginationQuality(ctx, &pegcountv1.QueryOriginationQualityRequest{
		AccountId: account,
		FromTime:  day.Format(time.RFC3339),
		ToTime:    proto.String(day.AddDate(0, 0, 1).Format(time.RFC3339)),
		Sampling:  pegcountv1.Granularity_GRANULARITY_HOUR,
		TimeZone:  proto.String("UTC"),
	})
	if err != nil {
		return err
	}
	bins := answer.GetData()
	for i, start := range bins.GetT() {
		if bins.GetTotalCalls()[i] > 0 {
			printLine(time.Unix(start, 0).UTC().Format(time.RFC3339), bins.GetTotalCalls()[i],
				bins.GetAnsweredCalls()[i], bins.GetAcd()[i], bins.GetAsr()[i])
		}
	}
	totals := answer.GetTotals()
	printLine("total", totals.GetTotalCalls(), totals.GetAnsweredCalls(), orNaN(totals.Acd), orNaN(totals.Asr))
	return nil
}

// orNaN returns NaN for an absent field; its getter would return 0.
func orNaN(value *float64) float64 {
	if value == nil {
		return math.NaN()
	}
	return *value
}

func printLine(name string, calls, answered int64, acd, asr float64) {
	fmt.Printf("%s: %d calls, %d answered, ACD %s s, ASR %s %%\n", name, calls, answered, figure(acd), figure(asr))
}

func figure(value float64) string {
	if math.IsNaN(value) {
		return "-"
	}
	return fmt.Sprintf("%.1f", value)
}
