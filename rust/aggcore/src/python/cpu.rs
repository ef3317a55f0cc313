//! The processor that the build needs.

/// Checks the instruction sets that `.cargo/config.toml` compiles for, because the first missing instruction would end
/// the process.
///
/// # Errors
/// Names what is needed, and what to do without it.
#[cfg(target_arch = "x86_64")]
pub fn check() -> Result<(), &'static str> {
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi2") && is_x86_feature_detected!("fma") {
        return Ok(());
    }
    Err("this build needs a processor with AVX2, BMI2 and FMA (x86-64-v3); build from source without .cargo/config.toml")
}

/// Other architectures are compiled for their baseline.
///
/// # Errors
/// Never.
#[cfg(not(target_arch = "x86_64"))]
pub fn check() -> Result<(), &'static str> {
    Ok(())
}
