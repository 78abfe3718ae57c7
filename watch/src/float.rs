//! Square root, logarithm and exponential, which `core` doesn't have.

/// Returns the square root; 0 for what is negative or no number.
pub(crate) fn sqrt(x: f64) -> f64 {
    if x > 0.0 { libm::sqrt(x) } else { 0.0 }
}

/// Returns the natural logarithm; of what is not positive that of the least positive number.
pub(crate) fn ln(x: f64) -> f64 {
    libm::log(x.max(f64::MIN_POSITIVE))
}

/// Returns e to the power of `x`.
pub(crate) fn exp(x: f64) -> f64 {
    libm::exp(x)
}
