//! The instants at which the intervals of several groups begin, or end.

use crate::cancellation::CancelToken;
use crate::error::Result;
use crate::interruptible_sort::sort_interruptibly;

/// Instants, microseconds UTC, in any order, each with its group.
#[derive(Default)]
pub(super) struct Instants {
    groups: Vec<u32>,
    at_us: Vec<i64>,
}

impl Instants {
    /// Adds the instants of rows, with their groups.
    pub(super) fn push_all(&mut self, instants: &[(u32, i64)]) {
        self.groups.extend(instants.iter().map(|(group, _)| group));
        self.at_us.extend(instants.iter().map(|(_, at_us)| at_us));
    }

    /// Adds the instants of other slices: of group number i there, which is `groups[i]` here.
    pub(super) fn add_all(&mut self, groups_here: &[usize], added: Self) {
        self.groups.extend(added.groups.iter().map(|&group| groups_here[group as usize] as u32));
        self.at_us.extend(added.at_us);
    }

    /// Number of instants.
    pub(super) fn len(&self) -> usize {
        self.at_us.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.groups.capacity() * size_of::<u32>() + self.at_us.capacity() * size_of::<i64>()
    }

    /// Returns the instants of each of `group_count` groups, ascending, one group after the other, and where those of each end.
    /// Takes twice the bytes of the instants, which the caller reserves.
    ///
    /// # Errors
    /// Those of [`CancelToken::check`].
    pub(super) fn into_sorted(self, group_count: usize, cancel: &CancelToken) -> Result<(Vec<usize>, Vec<i64>)> {
        let Self { groups, at_us: unsorted_us } = self;
        let mut places = vec![0; group_count];
        groups.iter().for_each(|&group| places[group as usize] += 1);
        let mut start = 0;
        places.iter_mut().for_each(|count| start += std::mem::replace(count, start));
        let mut at_us = vec![0; unsorted_us.len()];
        for (&group, &us) in groups.iter().zip(&unsorted_us) {
            let place = &mut places[group as usize];
            at_us[*place] = us;
            *place += 1;
        }
        let mut start = 0;
        for &end in &places {
            let mut of_group = at_us[start..end].to_vec();
            sort_interruptibly(&mut of_group, cancel)?;
            at_us[start..end].copy_from_slice(&of_group);
            start = end;
        }
        Ok((places, at_us))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test may panic.
mod tests {
    use super::*;

    #[test]
    fn groups_follow_each_other() {
        let mut instants = Instants::default();
        instants.push_all(&[(1, 5), (0, 9)]);
        let mut added = Instants::default();
        added.push_all(&[(0, 3), (1, 4), (1, 2)]);
        instants.add_all(&[1, 2], added);
        let (ends, at_us) = instants.into_sorted(4, &CancelToken::with_limit(None)).unwrap();
        assert_eq!((ends, at_us), (vec![1, 3, 5, 5], vec![9, 3, 5, 2, 4]));
    }
}
