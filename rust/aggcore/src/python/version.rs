//! The version of the core.

use pyo3::prelude::*;

/// Returns the version, and whether the build is one for release or for debugging, which checks itself and is slow.
#[pyfunction]
pub fn core_version() -> String {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    format!("{} ({profile} build)", env!("CARGO_PKG_VERSION"))
}
