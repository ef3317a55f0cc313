//! Generates code from proto/, and the descriptors that JSON needs. It needs protoc, as the example does.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    tonic_prost_build::configure()
        .build_server(false)
        .file_descriptor_set_path(out.join("descriptors.binpb"))
        .compile_protos(&["../../../proto/pegcount/v1/reports.proto"], &["../../../proto"])?;
    Ok(())
}
