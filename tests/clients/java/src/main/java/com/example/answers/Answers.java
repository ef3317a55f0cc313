package com.example.answers;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import com.pegcount.v1.ReportServiceGrpc;
import io.grpc.CallOptions;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.PrototypeMarshaller;
import io.grpc.stub.ClientCalls;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * Sends the requests of a file, lines of a method and JSON, and prints the answers as lines of JSON.
 *
 * <p>Arguments: HOST:PORT REQUESTS
 */
public final class Answers {
  private static final long TIMEOUT_SECONDS = 30;
  private static final int ANSWER_BYTES_MAX = 64 << 20;

  public static void main(String[] arguments) throws IOException {
    ManagedChannel channel =
        Grpc.newChannelBuilder(arguments[0], InsecureChannelCredentials.create())
            .maxInboundMessageSize(ANSWER_BYTES_MAX)
            .keepAliveTime(30, TimeUnit.SECONDS)
            .keepAliveTimeout(10, TimeUnit.SECONDS)
            .build();
    try {
      for (String line : Files.readAllLines(Path.of(arguments[1]))) {
        String[] methodAndRequest = line.split(" ", 2);
        System.out.println(call(channel, method(methodAndRequest[0]), methodAndRequest[1]));
      }
    } finally {
      channel.shutdownNow();
    }
  }

  private static String call(
      ManagedChannel channel, MethodDescriptor<Message, Message> method, String requestJson)
      throws InvalidProtocolBufferException {
    PrototypeMarshaller<Message> marshaller =
        (PrototypeMarshaller<Message>) method.getRequestMarshaller();
    Message.Builder request = marshaller.getMessagePrototype().newBuilderForType();
    JsonFormat.parser().merge(requestJson, request);
    CallOptions options =
        CallOptions.DEFAULT.withDeadlineAfter(TIMEOUT_SECONDS, TimeUnit.SECONDS);
    Message answer = ClientCalls.blockingUnaryCall(channel, method, options, request.build());
    return JsonFormat.printer().omittingInsignificantWhitespace().print(answer);
  }

  @SuppressWarnings("unchecked") // all messages of generated methods are of this type
  private static MethodDescriptor<Message, Message> method(String name) {
    return (MethodDescriptor<Message, Message>)
        ReportServiceGrpc.getServiceDescriptor().getMethods().stream()
            .filter(method -> name.equals(method.getBareMethodName()))
            .findFirst()
            .orElseThrow();
  }

  private Answers() {}
}
