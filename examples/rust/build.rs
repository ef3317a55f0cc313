//! Generates code from proto/. It needs protoc, in PATH or in the environment variable PROTOC.

fn main() -> std::io::Result<()> {
    tonic_prost_build::configure().build_server(false).compile_protos(
        &["../../proto/pegcount/v1/records.proto", "../../proto/pegcount/v1/reports.proto"],
        &["../../proto"],
    )
}
