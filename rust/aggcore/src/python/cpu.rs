//! The processor that the build needs: `.cargo/config.toml` sets it, and RUSTFLAGS override that file.

/// An instruction set, and whether the build uses it.
#[cfg(target_arch = "x86_64")]
struct InstructionSet {
    name: &'static str,
    compiled: bool,
    present: bool,
}

/// Lists instruction sets; the macros of the standard library take only literals.
#[cfg(target_arch = "x86_64")]
macro_rules! instruction_sets {
    ($($name:tt),*) => {
        [$(InstructionSet {
            name: $name,
            compiled: cfg!(target_feature = $name),
            present: is_x86_feature_detected!($name),
        }),*]
    };
}

/// Returns the level that the core was compiled for, such as "x86-64-v3".
#[must_use]
#[cfg(target_arch = "x86_64")]
pub fn level() -> String {
    // https://gitlab.com/x86-psABIs/x86-64-ABI defines the levels.
    if cfg!(all(target_feature = "avx512f", target_feature = "avx512bw", target_feature = "avx512vl")) {
        "x86-64-v4".to_owned()
    } else if cfg!(all(target_feature = "avx2", target_feature = "bmi2", target_feature = "fma")) {
        "x86-64-v3".to_owned()
    } else if cfg!(all(target_feature = "sse4.2", target_feature = "popcnt")) {
        "x86-64-v2".to_owned()
    } else {
        "x86-64 baseline".to_owned()
    }
}

/// Other architectures are compiled for their baseline.
#[must_use]
#[cfg(not(target_arch = "x86_64"))]
pub fn level() -> String {
    format!("{} baseline", std::env::consts::ARCH)
}

/// Checks the instruction sets that the build uses, because the first missing instruction would end the process.
///
/// # Errors
/// Names what the processor lacks, and what to do without it.
#[cfg(target_arch = "x86_64")]
pub fn check() -> Result<(), String> {
    let used = instruction_sets!("sse4.2", "popcnt", "avx2", "bmi1", "bmi2", "fma", "lzcnt", "avx512f", "avx512bw", "avx512vl");
    let missing: Vec<&str> = used.iter().filter(|set| set.compiled && !set.present).map(|set| set.name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "this build is for {} and the processor lacks {}; build from source with RUSTFLAGS='-C target-cpu=x86-64'",
        level(),
        missing.join(", ")
    ))
}

/// Other architectures are compiled for their baseline.
///
/// # Errors
/// Never.
#[cfg(not(target_arch = "x86_64"))]
pub fn check() -> Result<(), String> {
    Ok(())
}
