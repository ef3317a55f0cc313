package com.example.report;

import com.google.protobuf.Timestamp;
import com.pegcount.v1.Granularity;
import com.pegcount.v1.OriginationQualityData;
import com.pegcount.v1.OriginationQualityTotals;
import com.pegcount.v1.QueryOriginationQualityRequest;
import com.pegcount.v1.QueryOriginationQualityResponse;
import com.pegcount.v1.RecordServiceGrpc;
import com.pegcount.v1.RejectedRecord;
import com.pegcount.v1.ReportServiceGrpc;
import com.pegcount.v1.SessionRecord;
import com.pegcount.v1.WriteRecordsRequest;
import com.pegcount.v1.WriteRecordsResponse;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.stub.BlockingClientCall;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

/** Writes two calls of yesterday to a Pegcount server, and prints the origination quality of that day. */
public final class Report {
  private static final String ACCOUNT = "example";
  private static final Duration DEADLINE = Duration.ofSeconds(10);

  public static void main(String[] arguments) throws InterruptedException {
    if (arguments.length != 1) {
      System.err.println("usage: Report HOST:PORT");
      System.exit(2);
    }
    ManagedChannel channel =
        Grpc.newChannelBuilder(arguments[0], InsecureChannelCredentials.create()).build();
    Instant yesterday =
        LocalDate.now(ZoneOffset.UTC).minusDays(1).atStartOfDay(ZoneOffset.UTC).toInstant();
    int exitStatus = 0;
    try {
      writeCalls(RecordServiceGrpc.newBlockingV2Stub(channel).withDeadlineAfter(DEADLINE), yesterday);
      printQuality(ReportServiceGrpc.newBlockingV2Stub(channel).withDeadlineAfter(DEADLINE), yesterday);
    } catch (StatusException error) {
      Status status = error.getStatus();
      System.err.printf("%s: %s%n", status.getCode(), status.getDescription());
      exitStatus = 1;
    } finally {
      channel.shutdown().awaitTermination(5, TimeUnit.SECONDS);
    }
    System.exit(exitStatus);
  }

  private static void writeCalls(RecordServiceGrpc.RecordServiceBlockingV2Stub records, Instant day)
      throws InterruptedException, StatusException {
    Instant setup = day.plus(Duration.ofHours(10));
    SessionRecord.Builder answered =
        call("answered", setup).setAnswerTime(timestamp(setup.plusSeconds(5)));
    SessionRecord.Builder missed = call("missed", day.plus(Duration.ofHours(11)));
    BlockingClientCall<WriteRecordsRequest, WriteRecordsResponse> stream = records.writeRecords();
    stream.write(WriteRecordsRequest.newBuilder().addRecords(answered).addRecords(missed).build());
    stream.halfClose();
    WriteRecordsResponse answer;
    // read() returns null at the end of the stream, and throws a status other than OK.
    while ((answer = stream.read()) != null) {
      System.out.printf(
          "written: %d accepted, %d replaced, %d duplicates, %d rejected%n",
          answer.getAccepted(), answer.getReplaced(), answer.getDuplicates(), answer.getRejectedCount());
      for (RejectedRecord rejected : answer.getRejectedList()) {
        System.out.printf(
            "record %d: %s: %s%n", rejected.getIndex(), rejected.getReason(), rejected.getDescription());
      }
    }
  }

  /** Returns a call that ends 125 s after its setup. */
  private static SessionRecord.Builder call(String name, Instant setup) {
    return SessionRecord.newBuilder()
        .setSource("example")
        .setSessionId(setup.atOffset(ZoneOffset.UTC).toLocalDate() + "-" + name)
        .setSetupTime(timestamp(setup))
        .setEndTime(timestamp(setup.plusSeconds(125)))
        .setAccountId(ACCOUNT)
        .setSrcPrefixRouting("12025550123")
        .setDstPrefixRouting("442079460123")
        .setAuthOrigIp("192.0.2.10");
  }

  private static void printQuality(ReportServiceGrpc.ReportServiceBlockingV2Stub reports, Instant day)
      throws StatusException {
    QueryOriginationQualityResponse answer =
        reports.queryOriginationQuality(
            QueryOriginationQualityRequest.newBuilder()
                .setAccountId(ACCOUNT)
                .setFromTime(day.toString())
                .setToTime(day.plus(Duration.ofDays(1)).toString())
                .setSampling(Granularity.GRANULARITY_HOUR)
                .setTimeZone("UTC")
                .build());
    OriginationQualityData bins = answer.getData();
    for (int i = 0; i < bins.getTCount(); i++) {
      if (bins.getTotalCalls(i) > 0) {
        String hour = Instant.ofEpochSecond(bins.getT(i)).toString();
        printLine(hour, bins.getTotalCalls(i), bins.getAnsweredCalls(i), bins.getAcd(i), bins.getAsr(i));
      }
    }
    OriginationQualityTotals totals = answer.getTotals();
    // The getter of an absent field returns 0.
    double acd = totals.hasAcd() ? totals.getAcd() : Double.NaN;
    double asr = totals.hasAsr() ? totals.getAsr() : Double.NaN;
    printLine("total", totals.getTotalCalls(), totals.getAnsweredCalls(), acd, asr);
  }

  private static void printLine(String name, long calls, long answered, double acd, double asr) {
    System.out.printf(
        "%s: %d calls, %d answered, ACD %s s, ASR %s %%%n", name, calls, answered, figure(acd), figure(asr));
  }

  private static String figure(double value) {
    return Double.isNaN(value) ? "-" : String.format(Locale.ROOT, "%.1f", value);
  }

  private static Timestamp timestamp(Instant time) {
    return Timestamp.newBuilder().setSeconds(time.getEpochSecond()).setNanos(time.getNano()).build();
  }

  private Report() {}
}
