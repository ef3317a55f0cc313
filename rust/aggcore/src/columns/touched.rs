//! Touched memory: memory whose pages exist, so that writing to it causes no page fault.

/// Bytes of the smallest page of the supported platforms.
const PAGE_BYTES: usize = 4_096;

/// Makes room for `count` values in touched memory; allocates for `expected_count` if there is too little.
pub fn make_room<T: Copy + Default>(values: &mut Vec<T>, count: usize, expected_count: usize) {
    if values.capacity() - values.len() < count {
        values.reserve(expected_count.max(count));
    }
    for value in values.spare_capacity_mut().iter_mut().take(count).step_by(PAGE_BYTES / size_of::<T>()) {
        value.write(T::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_for_all_values_is_allocated_once() {
        let mut values = vec![1i64, 2];
        make_room(&mut values, 1_000, 10_000);
        let place = values.as_ptr();
        for _ in 0..10 {
            make_room(&mut values, 1_000, 1_000);
            values.extend([7; 1_000]);
        }
        assert_eq!((values.as_ptr(), values.len(), &values[..3]), (place, 10_002, &[1, 2, 7][..]));
    }
}
