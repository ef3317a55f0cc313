//! The step functions of cells while tables of cells are merged.

use super::step_changes::StepChanges;

/// Step functions, each of a cell of its own, in any order.
#[derive(Default)]
pub(super) struct StepCells {
    /// The cell of each.
    cells: Vec<u32>,
    steps: StepChanges,
}

impl StepCells {
    /// The functions of these cells, which are distinct.
    pub(super) fn new(cells: Vec<u32>, steps: StepChanges) -> Self {
        Self { cells, steps }
    }

    /// Takes over the functions of other cells: number i there is `cells[i]` here, and has no function yet. One sweep finds all
    /// functions of a scan, so that cells with a function are never added up.
    pub(super) fn add_all(&mut self, cells: &[usize], added: Self) {
        self.cells.extend(added.cells.iter().map(|&cell| cells[cell as usize] as u32));
        self.steps.append(added.steps);
    }

    pub(super) fn bytes(&self) -> usize {
        self.cells.capacity() * size_of::<u32>() + self.steps.bytes()
    }

    /// Bytes of memory that the functions take once they are finished.
    pub(super) fn finished_bytes(&self, cell_count: usize) -> usize {
        cell_count * size_of::<usize>() + self.steps.at_us.len() * size_of::<(i64, i64)>()
    }

    /// Returns the functions by cell, without changes for a cell that has none.
    pub(super) fn into_steps(self, cell_count: usize) -> StepChanges {
        let Self { cells, steps } = self;
        let mut source_of = vec![None; cell_count];
        cells.iter().enumerate().for_each(|(source, &cell)| source_of[cell as usize] = Some(source));
        let changes_of = |source: &Option<usize>| source.map_or((&[][..], &[][..]), |source| steps.of(source));
        let end = |end: &mut usize, source: &Option<usize>| {
            *end += changes_of(source).0.len();
            Some(*end)
        };
        let ends = source_of.iter().scan(0, end).collect();
        if cells.is_sorted() {
            return StepChanges { ends, ..steps };
        }
        let at_us = source_of.iter().flat_map(|source| changes_of(source).0).copied().collect();
        StepChanges { ends, at_us, changes: source_of.iter().flat_map(|source| changes_of(source).1).copied().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(cells: &[u32], functions: &[&[(i64, i64)]]) -> StepCells {
        StepCells::new(cells.to_vec(), functions.iter().copied().collect())
    }

    #[test]
    fn functions_follow_their_cells() {
        let functions: [&[(i64, i64)]; 2] = [&[(1, 1), (2, -1)], &[(5, 2), (6, -1), (9, -1)]];
        let expected: StepChanges = [functions[1], &[], functions[0]].into_iter().collect();
        assert_eq!(steps(&[2, 0], &functions).into_steps(3), expected);
        let mut merged = StepCells::default();
        merged.add_all(&[2, 0], steps(&[0, 1], &functions));
        assert_eq!(merged.into_steps(3), expected);
        let mut merged = steps(&[2], &functions[..1]);
        merged.add_all(&[0], steps(&[0], &functions[1..]));
        assert_eq!(merged.into_steps(3), expected);
        assert_eq!(steps(&[0, 2], &[functions[1], functions[0]]).into_steps(3), expected);
    }
}
