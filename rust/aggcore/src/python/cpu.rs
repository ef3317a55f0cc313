//! What the core needs of the processor.

/// Fails where the processor lacks what the core is built for, instead of ending the process at the first such step.
///
/// # Errors
/// What is needed, and what to do without it.
#[cfg(target_arch = "x86_64")]
pub fn check() -> Result<(), &'static str> {
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi2") && is_x86_feature_detected!("fma") {
        return Ok(());
    }
    Err("this build needs a processor with AVX2, BMI2 and FMA (x86-64-v3); build from source without .cargo/config.toml")
}

/// Nothing beyond what every processor of the kind has.
///
/// # Errors
/// Never.
#[cfg(not(target_arch = "x86_64"))]
pub fn check() -> Result<(), &'static str> {
    Ok(())
}
