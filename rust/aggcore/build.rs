//! Generates the messages of `proto/` so that the core encodes and decodes exactly the contract.

use std::{env, error::Error, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let proto = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    println!("cargo:rerun-if-changed={}", proto.display());
    let files = protox::compile(["pegcount/v1/reports.proto", "pegcount/v1/records.proto"], [&proto])?;
    prost_build::Config::new().compile_fds(files)?;
    Ok(())
}
