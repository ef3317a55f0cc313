use super::*;

const BOTH: [MeasureType; 2] = [MeasureType::Occupied, MeasureType::Occupancy];

/// Bin, integer key, and the changes of both measures: instants, each with its change.
type Row<'a> = (i64, i64, &'a [(i64, i64)]);

/// An answer to a scan with [`BOTH`] and a key.
fn answer(rows: &[Row<'_>]) -> Vec<u8> {
    let sum = |of: fn(&(i64, i64)) -> i128| rows.iter().map(move |row| row.2.iter().map(of).sum::<i128>());
    let list = |of: fn(&(i64, i64)) -> i64| rows.iter().map(|row| row.2.iter().map(of).collect()).collect::<Vec<_>>();
    let moments = sum(|&(at, change)| i128::from(at) * i128::from(change));
    let columns = [
        integers("bin", rows.iter().map(|row| row.0)),
        integers("key_0", rows.iter().map(|row| row.1)),
        integers("records", rows.iter().map(|_| 1)),
        integers("changes_0", sum(|pair| pair.1.into()).map(|sum| sum as i64)),
        column("moments_0", "Int128", moments.map(|moment| moment.to_le_bytes().to_vec())),
        lists("instants_1", &list(|pair| pair.0)),
        lists("changes_1", &list(|pair| pair.1)),
    ];
    [vec![columns.len() as u8, rows.len() as u8], columns.concat()].concat()
}

fn found(bin_count: usize, cell_count_max: usize, answers: &[&[Row<'_>]]) -> Result<TrafficPartials> {
    let mut cells =
        TrafficCells::new(&memory(usize::MAX), edges(bin_count), &[KeyType::Integer], &BOTH, None, cell_count_max).unwrap();
    answers.iter().try_for_each(|rows| cells.add(&answer(rows)))?;
    cells.into_partials()
}

/// Bin, key, microseconds, and the function of a cell.
type Found = (u32, i64, i128, Vec<(i64, i64)>);

fn by_cell(partials: &TrafficPartials) -> Vec<Found> {
    let (KeyValues::Ints(keys), [MeasureValues::Sums(sums), MeasureValues::Steps(steps)]) =
        (&partials.keys[0], partials.measures.as_slice())
    else {
        panic!()
    };
    let pairs = |cell| steps.of(cell).0.iter().copied().zip(steps.of(cell).1.iter().copied()).collect();
    let cells = partials.bins.iter().zip(keys).zip(sums).enumerate();
    let mut found: Vec<_> = cells.map(|(cell, ((&bin, &key), &sum))| (bin, key, sum, pairs(cell))).collect();
    found.sort();
    found
}

#[test]
fn an_interval_reaches_all_bins_between_its_changes() {
    let one: &[Row<'_>] = &[(0, 7, &[(105, 1), (107, 1)]), (3, 7, &[(140, -1)]), (0, 8, &[(100, 1), (110, -1)])];
    let other: &[Row<'_>] = &[(3, 7, &[(133, -1)]), (1, 7, &[(115, 1), (115, -1), (119, 1), (120, -1)])];
    let expected = vec![
        (0, 7, 8, vec![(105, 1), (107, 1), (110, -2)]),
        (0, 8, 10, vec![(100, 1), (110, -1)]),
        (1, 7, 21, vec![(110, 2), (119, 1), (120, -3)]),
        (2, 7, 20, vec![(120, 2), (130, -2)]),
        (3, 7, 13, vec![(130, 2), (133, -1), (140, -1)]),
    ];
    assert_eq!(by_cell(&found(4, 5, &[one, other]).unwrap()), expected);
    assert!(matches!(found(4, 4, &[one, other]), Err(Error::CellLimit { asked: 5, allowed: 4 })));
}

#[test]
fn a_change_at_the_edge_of_a_bin() {
    // One ends where another one begins, within a bin and at an edge; a third one begins at an edge.
    let rows: &[Row<'_>] =
        &[(0, 7, &[(103, 1), (105, 0), (110, -1)]), (1, 7, &[(110, 1), (120, -1)]), (2, 7, &[(120, 2), (125, -2)])];
    let expected =
        vec![(0, 7, 7, vec![(103, 1), (110, -1)]), (1, 7, 10, vec![(110, 1), (120, -1)]), (2, 7, 10, vec![(120, 2), (125, -2)])];
    assert_eq!(by_cell(&found(3, 9, &[rows]).unwrap()), expected);
}

#[test]
fn without_keys_each_bin_has_a_cell_also_between() {
    let mut cells = TrafficCells::new(&memory(usize::MAX), edges(3), &[], &BOTH[..1], None, 1).unwrap();
    cells.add(&answer(&[(0, 0, &[(109, 3)]), (2, 0, &[(121, -3)])])).unwrap();
    assert_eq!(cells.into_partials().unwrap().measures, [MeasureValues::Sums(vec![3, 30, 3])]);
}

#[test]
fn changes_that_no_intervals_have_are_refused() {
    let text = |rows: &[Row<'_>]| found(3, 9, &[rows]).unwrap_err().to_string();
    assert!(text(&[(0, 7, &[(105, 1)])]).ends_with("1 intervals do not end"));
    assert!(text(&[(0, 7, &[(105, 1)]), (0, 8, &[(105, 1), (106, -1)])]).ends_with("1 intervals do not end"));
    assert!(text(&[(0, 7, &[(105, -1)]), (1, 7, &[(115, 1)])]).ends_with("more intervals end than have begun"));
    assert!(text(&[(0, 7, &[(105, -1), (106, 1)])]).ends_with("intervals occupy -1 microseconds"));
    assert!(text(&[(1, 7, &[(109, 1), (120, -1)])]).ends_with("begins or ends outside its bin"));
    assert!(text(&[(1, 7, &[(110, 1), (121, -1)])]).ends_with("begins or ends outside its bin"));
    let beyond: &[Row<'_>] = &[(0, 7, &[(100, i64::MAX)]), (0, 7, &[(110, -1)])];
    assert!(matches!(found(1, 9, &[beyond]), Err(Error::SumOverflow)));
}

#[test]
fn memory_of_cells_between_is_reserved() {
    let rows: &[Row<'_>] = &[(0, 7, &[(105, 1)]), (99_999, 7, &[(1_000_095, -1)])];
    let with_memory = |bytes| {
        let memory = memory(bytes);
        let mut cells = TrafficCells::new(&memory, edges(100_000), &[KeyType::Integer], &BOTH, None, 100_000).unwrap();
        cells.add(&answer(rows)).and_then(|()| cells.into_partials())
    };
    assert!(matches!(with_memory(5_000_000), Err(Error::QueryMemoryLimit { .. })));
    assert_eq!(with_memory(50_000_000).unwrap().cell_count(), 100_000);
}
