//! The inputs that are kept in the repository, among them all that ever failed.

use std::path::PathBuf;

use crate::targets::TARGETS;

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus")
}

#[test]
fn every_kept_input_passes_its_target() {
    for (name, target) in TARGETS {
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(corpus().join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(!paths.is_empty(), "{name} has inputs");
        paths.sort();
        for path in paths {
            // A failure prints the last line.
            println!("{}", path.display());
            target(&std::fs::read(path).unwrap());
        }
    }
}
