import static io.opentelemetry.api.common.Value.of;

import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Value;
import io.opentelemetry.api.logs.Logger;
import io.opentelemetry.exporter.otlp.http.logs.OtlpHttpLogRecordExporter;
import io.opentelemetry.sdk.logs.SdkLoggerProvider;
import io.opentelemetry.sdk.logs.export.BatchLogRecordProcessor;
import io.opentelemetry.sdk.resources.Resource;
import java.time.Instant;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;

/** Hook events from Java, with nothing but OpenTelemetry's SDK: `java -cp 'jars/*' Emit.java http://localhost:4318`. */
public class Emit {
  public static void main(String[] args) {
    var exporter =
        OtlpHttpLogRecordExporter.builder().setEndpoint(args[0] + "/v1/logs").setCompression("gzip").build();
    var provider =
        SdkLoggerProvider.builder()
            .setResource(
                Resource.getDefault().toBuilder().put("service.name", "java-agent").build())
            .addLogRecordProcessor(BatchLogRecordProcessor.builder(exporter).build())
            .build();
    var logger = provider.get("java-agent");
    emit(logger, "session_started", of(Map.of()));
    for (int index = 0; index < 100; index++) {
      emit(
          logger,
          "tool_execution_completed",
          of(
              Map.of(
                  "tool_name", of("Bash"),
                  "index", of(index),
                  "input", of(Map.of("command", of("ls"), "flags", of(of("-l"), of("-a")))),
                  "success", of(true))));
    }
    emit(logger, "session_completed", of(Map.of("reason", of("done"))));
    provider.shutdown().join(10, TimeUnit.SECONDS);
  }

  private static void emit(Logger logger, String eventType, Value<?> data) {
    logger
        .logRecordBuilder()
        .setTimestamp(Instant.now())
        .setEventName("agentic_hooks." + eventType)
        .setAttribute("log.record.uid", UUID.randomUUID().toString())
        .setAttribute("session.id", "java-1")
        .setAttribute(AttributeKey.valueKey("agentic_hooks.data"), data)
        .emit();
  }
}
