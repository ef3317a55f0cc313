//! The version of the core.

use pyo3::prelude::*;

use super::cpu;

/// Returns the version, whether the build is one for release or for debugging, which checks itself and is slow, and which
/// processors it needs.
#[pyfunction]
pub fn core_version() -> String {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    format!("{} ({profile} build, {})", env!("CARGO_PKG_VERSION"), cpu::level())
}
