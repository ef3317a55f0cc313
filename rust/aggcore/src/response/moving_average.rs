//! Simple moving average (SMA) of the sessions per day.

use super::ratio::ratio;

/// Returns the mean of the `period` counts that end with `bin`: their sum, divided by `period` once.
///
/// The caller scans `period - 1` warm-up bins before the range, so that the first bin of the range has a full
/// window. A window that the warm-up bins do not fill is divided by `period` all the same.
pub fn simple_moving_average(counts: &[i64], bin: usize, period: usize) -> Option<f64> {
    let window = &counts[(bin + 1).saturating_sub(period)..=bin];
    ratio(window.iter().sum(), period as i64)
}

#[cfg(test)]
mod tests {
    use super::simple_moving_average;

    #[test]
    fn the_window_ends_with_the_bin() {
        assert_eq!(simple_moving_average(&[10, 20, 30, 40], 3, 3), Some(30.0));
        assert_eq!(simple_moving_average(&[10, 20], 1, 1), Some(20.0));
    }

    #[test]
    fn a_short_window_is_divided_by_the_whole_period() {
        assert_eq!(simple_moving_average(&[10, 20], 0, 4), Some(2.5));
    }
}
