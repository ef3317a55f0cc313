//! Responses built from sums, with figures that can be checked by hand.
#![allow(clippy::unwrap_used, clippy::panic)] // A test may panic.

use aggcore::testing::{
    ABSENT, ActiveSessionRow, QueryActiveSessionsResponse, QueryAsrUsageResponse, QueryFolderStatsResponse,
    QueryOriginationQualityResponse, Unlimited,
};
use aggcore::{
    ActiveOptions, Error, Figures, KeyValues, OrderTerm, Partials, ScanResources, Sums, UsageOptions, UtcOffsets,
    build_active_response, build_folder_response, build_quality_response, build_usage_response,
};
use prost::Message;

const UTC: UtcOffsets<'static> = UtcOffsets { change_us: &[], offset_s: &[0] };
const DAY_US: i64 = 86_400_000_000;
const MINUTE_US: i64 = 60_000_000;

fn by_bin(sums: &[Sums]) -> Partials {
    Partials { sums: sums.to_vec(), bins: (0..sums.len() as u32).collect(), keys: Vec::new(), row_count: 0 }
}

fn usage(counts: &[i64], warmup: usize, sma_period: Option<usize>, now_us: i64) -> QueryAsrUsageResponse {
    let edges: Vec<i64> = (0..=counts.len() as i64).map(|day| day * DAY_US).collect();
    let options = UsageOptions { edges: &edges, warmup_bin_count: warmup, sma_period, now_us, offsets: UTC };
    let sums: Vec<Sums> = counts.iter().map(|&count| [count, 0, 0]).collect();
    let bytes = build_usage_response(&by_bin(&sums), &options, Unlimited::default().limits()).unwrap();
    let response = QueryAsrUsageResponse::decode(bytes.as_slice()).unwrap();
    assert_eq!(response.encode_to_vec(), bytes, "the bins are written as the message would be");
    response
}

#[test]
fn the_moving_average_includes_the_warmup_days() {
    let response = usage(&[10, 20, 30, 40], 2, Some(3), 4 * DAY_US);
    assert_eq!(response.bins.iter().map(|bin| bin.sma).collect::<Vec<_>>(), [Some(20.0), Some(30.0)]);
    assert_eq!(response.totals.unwrap().session_count, Some(70));
}

#[test]
fn a_bin_is_complete_from_its_end_on() {
    let complete = |now_us| usage(&[1, 1], 0, None, now_us).bins.iter().map(|bin| bin.complete.unwrap()).collect::<Vec<_>>();
    assert_eq!(complete(DAY_US - 1), [false, false]);
    assert_eq!(complete(DAY_US), [true, false]);
}

#[test]
fn the_busiest_bin_is_the_earliest_maximum_and_absent_without_sessions() {
    let totals = usage(&[1, 5, 5], 0, None, 0).totals.unwrap();
    assert_eq!((totals.busiest_start_time.as_deref(), totals.busiest_count), (Some("1970-01-02T00:00:00Z"), Some(5)));
    let none = usage(&[0, 0], 0, None, 0).totals.unwrap();
    assert_eq!((none.busiest_start_time, none.busiest_count, none.session_count), (None, None, Some(0)));
    assert_eq!(usage(&[1], 0, None, 0).bins[0].sma, None);
}

fn quality(sums: &[Sums], clipped: &[i64], calendar: &[i64]) -> QueryOriginationQualityResponse {
    let bytes = build_quality_response(&by_bin(sums), clipped, calendar, Figures::ALL, Unlimited::default().limits()).unwrap();
    let response = QueryOriginationQualityResponse::decode(bytes.as_slice()).unwrap();
    assert_eq!(response.encode_to_vec(), bytes, "the columns are written as the message would be");
    response
}

#[test]
fn quality_of_three_minutes_as_published() {
    let edges: Vec<i64> = (0..4).map(|minute| minute * MINUTE_US).collect();
    let answered = |total, answered: i64| [total, answered, answered * 290_400];
    let response = quality(&[answered(180, 155), answered(140, 120), answered(200, 170)], &edges, &edges);
    let data = response.data.unwrap();
    assert_eq!((data.t.as_slice(), response.rows), ([0, 60, 120].as_slice(), Some(3)));
    assert_eq!(data.acd, [290.4, 290.4, 290.4]);
    assert_eq!(data.asr, [15_500.0 / 180.0, 12_000.0 / 140.0, 85.0]);
    assert_eq!(data.cps, [3.0, 140.0 / 60.0, 200.0 / 60.0]);
    let totals = response.totals.unwrap();
    assert_eq!((totals.total_calls, totals.answered_calls), (Some(520), Some(445)));
    assert_eq!((totals.asr, totals.acd), (Some(44_500.0 / 520.0), Some(290.4)));
    assert_eq!((totals.cps_mean, totals.cps_peak), (Some(520.0 / 180.0), Some(200.0 / 60.0)));
    assert_eq!(totals.cps_sum, Some(520.0 / 60.0));
}

#[test]
fn a_clipped_bin_has_its_calendar_start_and_does_not_count_for_the_peak() {
    let calendar = [0, MINUTE_US, 2 * MINUTE_US];
    let response = quality(&[[1, 0, 0], [2, 0, 0]], &[MINUTE_US - 1_000_000, MINUTE_US, 2 * MINUTE_US], &calendar);
    assert_eq!(response.data.as_ref().unwrap().t, [0, 60]);
    assert_eq!(response.data.unwrap().cps, [1.0, 2.0 / 60.0]);
    assert_eq!(response.totals.unwrap().cps_peak, Some(2.0 / 60.0));
    let only_clipped = quality(&[[1, 0, 0]], &[0, 1_000_000], &[0, MINUTE_US]);
    assert_eq!(only_clipped.totals.unwrap().cps_peak, Some(1.0));
}

#[test]
fn ratios_are_absent_without_calls_or_bins() {
    let response = quality(&[[0, 0, 0]], &[0, MINUTE_US], &[0, MINUTE_US]);
    let data = response.data.unwrap();
    assert!(data.acd[0].is_nan() && data.asr[0].is_nan());
    assert_eq!(data.cps, [0.0]);
    let without_bins = quality(&[], &[], &[]);
    assert!(without_bins.data.is_some_and(|data| data.t.is_empty()));
    let totals = without_bins.totals.unwrap();
    assert_eq!((totals.total_calls, totals.acd, totals.asr), (Some(0), None, None));
    assert_eq!((totals.cps_mean, totals.cps_peak, totals.cps_sum), (None, None, None));
}

fn texts(values: &[&str]) -> KeyValues {
    let mut entries = vec![String::new()];
    let code = |text: &&str| {
        entries.iter().position(|entry| entry == text).unwrap_or_else(|| {
            entries.push((*text).to_owned());
            entries.len() - 1
        }) as u32
    };
    KeyValues::Texts { codes: values.iter().map(code).collect(), entries }
}

#[test]
fn folder_rows_are_sorted_by_day_and_folder_with_their_agents() {
    let partials = Partials {
        sums: vec![[1, 1, 2_000], [2, 1, 1_000], [1, 0, 0], [4, 2, 3_000]],
        bins: vec![1, 0, 0, 0],
        keys: vec![texts(&["sales", "sales", "", "sales"]), texts(&["zoe", "bob", "", ""])],
        row_count: 0,
    };
    let bytes =
        build_folder_response(&partials, &[0, DAY_US, 2 * DAY_US], &UTC, Figures::ALL, Unlimited::default().limits()).unwrap();
    let response = QueryFolderStatsResponse::decode(bytes.as_slice()).unwrap();
    assert_eq!(response.encode_to_vec(), bytes, "the rows are written as the message would be");
    let rows: Vec<_> =
        response.rows.iter().map(|r| (r.date.as_deref().unwrap(), r.folder.as_deref().unwrap(), r.call_count.unwrap())).collect();
    assert_eq!(rows, [("1970-01-01", "", 1), ("1970-01-01", "sales", 6), ("1970-01-02", "sales", 1)]);
    assert_eq!(response.rows[0].average_duration_seconds, None);
    assert_eq!(response.rows[1].average_duration_seconds, Some(4.0 / 3.0));
    assert_eq!((response.rows[1].agents.len(), response.rows[1].agents[0].agent_id.as_deref()), (1, Some("bob")));
    let totals = response.totals.unwrap();
    assert_eq!((totals.call_count, totals.answered_count, totals.duration_ms), (Some(8), Some(4), Some(6_000)));
    assert_eq!(totals.average_duration_seconds, Some(1.5));
}

fn active(
    partials: &Partials, fields: &[&str], order: &[&str], limit: Option<usize>, rollup: bool,
) -> QueryActiveSessionsResponse {
    let fields: Vec<String> = fields.iter().map(|&name| name.to_owned()).collect();
    let term = |text: &&str| OrderTerm { name: text.trim_start_matches('-').to_owned(), descending: text.starts_with('-') };
    let order: Vec<OrderTerm> = order.iter().map(term).collect();
    let resources = ScanResources::default();
    let subtotal_count_max = usize::MAX;
    let options =
        ActiveOptions { fields: &fields, order: &order, limit, rollup, subtotal_count_max, offsets: UTC, resources: &resources };
    let bytes = build_active_response(partials, &options, Unlimited::default().limits()).unwrap();
    QueryActiveSessionsResponse::decode(bytes.as_slice()).unwrap()
}

fn two_clients() -> Partials {
    Partials {
        sums: vec![[4, 0, 0], [2, 1_999, 0], [3, 500, 0]],
        bins: vec![0; 3],
        keys: vec![texts(&["B", "A", "A"]), KeyValues::Ints(vec![1, 2, 1])],
        row_count: 0,
    }
}

const FIELDS: [&str; 4] = ["orig_clients_name", "equipment_id", "quantity", "duration"];

type RowValues<'a> = (Option<&'a str>, Option<i64>, Option<i64>, Option<i32>);

fn row_values(rows: &[ActiveSessionRow]) -> Vec<RowValues<'_>> {
    rows.iter().map(|row| (row.orig_clients_name.as_deref(), row.equipment_id, row.quantity, row.level)).collect()
}

#[test]
fn a_rollup_adds_subtotals_and_a_total() {
    let response = active(&two_clients(), &FIELDS, &[], None, true);
    assert_eq!(
        row_values(&response.rows),
        [(Some("A"), Some(1), Some(3), None), (Some("A"), Some(2), Some(2), None), (Some("B"), Some(1), Some(4), None)]
    );
    assert_eq!(row_values(&response.subtotals), [(Some("A"), None, Some(5), Some(1)), (Some("B"), None, Some(4), Some(1))]);
    let total = response.total.unwrap();
    assert_eq!((total.quantity, total.duration, total.level), (Some(9), Some(2), None));
    assert_eq!(response.rows[1].duration, Some(1));
}

#[test]
fn the_limit_applies_to_rows_but_not_to_subtotals_total_or_row_count() {
    let response = active(&two_clients(), &FIELDS, &["-quantity"], Some(1), true);
    assert_eq!(row_values(&response.rows), [(Some("B"), Some(1), Some(4), None)]);
    assert_eq!((response.row_count, response.subtotals.len(), response.total.unwrap().quantity), (Some(3), 2, Some(9)));
}

#[test]
fn subtotals_skip_order_terms_on_rolled_up_fields() {
    let names = |order: &[&str]| -> Vec<String> {
        active(&two_clients(), &FIELDS, order, None, true)
            .subtotals
            .into_iter()
            .map(|row| row.orig_clients_name.unwrap())
            .collect()
    };
    assert_eq!(names(&["quantity"]), ["B", "A"]);
    assert_eq!(names(&["-equipment_id", "-orig_clients_name"]), ["B", "A"]);
    assert_eq!(names(&["-duration"]), ["A", "B"]);
}

#[test]
fn absent_is_last_in_both_directions_and_ties_fall_back_to_the_key() {
    let partials = Partials {
        sums: vec![[1, 0, 0]; 4],
        bins: vec![0; 4],
        keys: vec![KeyValues::Ints(vec![ABSENT, 2, 1, 2]), texts(&["x", "b", "c", "a"])],
        row_count: 0,
    };
    let order = |order: &[&str]| -> Vec<(Option<i64>, String)> {
        let response = active(&partials, &["equipment_id", "orig_clients_name"], order, None, false);
        response.rows.into_iter().map(|row| (row.equipment_id, row.orig_clients_name.unwrap())).collect()
    };
    let [one, two_a, two_b, absent] =
        [(Some(1), "c"), (Some(2), "a"), (Some(2), "b"), (None, "x")].map(|(id, n)| (id, n.to_owned()));
    assert_eq!(order(&[]), [one.clone(), two_a.clone(), two_b.clone(), absent.clone()]);
    assert_eq!(order(&["-equipment_id"]), [two_a.clone(), two_b.clone(), one.clone(), absent.clone()]);
    assert_eq!(order(&["-orig_clients_name"]), [absent, one, two_b, two_a]);
}

#[test]
fn rows_are_ordered_by_a_key_that_follows_a_sum_among_the_fields() {
    let partials = Partials { keys: vec![KeyValues::Ints(vec![1, 3, 2])], ..two_clients() };
    let response = active(&partials, &["quantity", "duration", "equipment_id"], &["-equipment_id"], None, false);
    assert_eq!(response.rows.iter().map(|row| row.equipment_id.unwrap()).collect::<Vec<_>>(), [3, 2, 1]);
}

/// Builds the answer for sessions by client, equipment and account, with subtotals.
fn by_three_keys(subtotal_count_max: usize) -> Result<Vec<u8>, Error> {
    let partials = Partials { keys: [two_clients().keys, vec![texts(&["x", "y", "z"])]].concat(), ..two_clients() };
    let options = ActiveOptions {
        fields: &["orig_clients_name", "equipment_id", "orig_accounts_name", "quantity"].map(str::to_owned),
        order: &[],
        limit: None,
        rollup: true,
        subtotal_count_max,
        offsets: UTC,
        resources: &ScanResources::default(),
    };
    build_active_response(&partials, &options, Unlimited::default().limits())
}

#[test]
fn the_subtotals_of_all_levels_count_towards_their_limit() {
    // Two clients, and three clients with an equipment.
    assert!(by_three_keys(5).is_ok());
    assert!(matches!(by_three_keys(4), Err(Error::SubtotalLimit { asked: 5, allowed: 4 })));
    assert!(matches!(by_three_keys(1), Err(Error::SubtotalLimit { asked: 2, allowed: 1 })));
}

#[test]
fn keys_of_another_type_than_their_field_are_an_error() {
    for (field, values) in [("equipment_id", texts(&["1", "2", "3"])), ("orig_clients_name", KeyValues::Ints(vec![1, 2, 3]))] {
        let options = ActiveOptions {
            fields: &[field.to_owned()],
            order: &[],
            limit: None,
            rollup: false,
            subtotal_count_max: 0,
            offsets: UTC,
            resources: &ScanResources::default(),
        };
        let partials = Partials { keys: vec![values], ..two_clients() };
        let answer = build_active_response(&partials, &options, Unlimited::default().limits());
        assert!(matches!(answer, Err(Error::InvalidPartials(_))), "{field}: {answer:?}");
    }
}

#[test]
fn without_key_fields_there_is_one_row_and_the_total() {
    let response = active(&by_bin(&[[0, 0, 0]]), &["quantity", "duration"], &[], None, true);
    assert_eq!((response.rows.len(), response.row_count, response.subtotals.len()), (1, Some(1), 0));
    assert_eq!((response.rows[0].quantity, response.rows[0].duration), (Some(0), Some(0)));
    assert_eq!(response.total.unwrap().quantity, Some(0));
    assert!(active(&by_bin(&[[0, 0, 0]]), &["quantity"], &[], None, false).total.is_none());
}

#[test]
fn times_print_in_rfc_3339() {
    let partials = Partials { sums: vec![[1, 0, 0]], bins: vec![0], keys: vec![KeyValues::Ints(vec![1])], row_count: 0 };
    let response = active(&partials, &["session_setup_time"], &[], None, false);
    assert_eq!(response.rows[0].session_setup_time.as_deref(), Some("1970-01-01T00:00:00.000001Z"));
}

/// Builds each answer; the folder and active ones have the keys that they need.
fn answers(by_bin: &Partials, folders: &Partials, rows: &Partials) -> [Result<Vec<u8>, Error>; 4] {
    let (resources, fields) = (ScanResources::default(), ["orig_clients_name".to_owned(), "quantity".to_owned()]);
    let usage = UsageOptions { edges: &[0, 1], warmup_bin_count: 0, sma_period: Some(2), now_us: 0, offsets: UTC };
    let active = ActiveOptions {
        fields: &fields,
        order: &[],
        limit: None,
        rollup: true,
        subtotal_count_max: 9,
        offsets: UTC,
        resources: &resources,
    };
    let unlimited = Unlimited::default();
    [
        build_usage_response(by_bin, &usage, unlimited.limits()),
        build_quality_response(by_bin, &[0, 1], &[0, 1], Figures::ALL, unlimited.limits()),
        build_folder_response(folders, &[0, 1], &UTC, Figures::ALL, unlimited.limits()),
        build_active_response(rows, &active, unlimited.limits()),
    ]
}

#[test]
fn partials_of_another_scan_are_an_error_in_every_answer() {
    let cells = |sums: Vec<Sums>, bins: Vec<u32>, keys: Vec<KeyValues>| Partials { sums, bins, keys, row_count: 0 };
    let one = || vec![[1, 0, 0]];
    let late = answers(
        &by_bin(&[[1, 0, 0]; 2]),
        &cells(one(), vec![1], vec![texts(&["a"]), texts(&["b"])]),
        &cells(one(), vec![1], vec![texts(&["a"])]),
    );
    let no_entry = || KeyValues::Texts { codes: vec![5], entries: vec![String::new()] };
    let mismatched = answers(
        &cells(one(), Vec::new(), Vec::new()),
        &cells(one(), vec![0], vec![no_entry(), no_entry()]),
        &cells(one(), vec![0], vec![no_entry()]),
    );
    for answer in late.into_iter().chain(mismatched) {
        assert!(matches!(answer, Err(Error::InvalidPartials(_))), "{answer:?}");
    }
}

#[test]
fn totals_beyond_64_bits_are_an_error_in_every_answer() {
    let sums = || vec![[i64::MAX, 0, 0], [1, 0, 0]];
    let (bins, keys) = (vec![0, 0], || texts(&["a", "b"]));
    let folders = Partials { sums: sums(), bins: bins.clone(), keys: vec![keys(), keys()], row_count: 0 };
    let rows = Partials { sums: sums(), bins, keys: vec![keys()], row_count: 0 };
    for answer in &answers(&by_bin(&[[1, 0, 0]]), &folders, &rows)[2..] {
        assert!(matches!(answer, Err(Error::SumOverflow)), "{answer:?}");
    }
    let two_bins = by_bin(&[[i64::MAX, 0, 0], [1, 0, 0]]);
    let usage = UsageOptions { edges: &[0, 1, 2], warmup_bin_count: 0, sma_period: None, now_us: 0, offsets: UTC };
    let unlimited = Unlimited::default();
    assert!(matches!(build_usage_response(&two_bins, &usage, unlimited.limits()), Err(Error::SumOverflow)));
    let quality = build_quality_response(&two_bins, &[0, 1, 2], &[0, 1, 2], Figures::ALL, unlimited.limits());
    assert!(matches!(quality, Err(Error::SumOverflow)));
}

#[test]
fn the_memory_of_an_answer_is_held_while_it_is_built() {
    let unlimited = Unlimited::default();
    let edges: Vec<i64> = (0..=1_000).collect();
    build_quality_response(&by_bin(&[[1, 0, 0]; 1_000]), &edges, &edges, Figures::ALL, unlimited.limits()).unwrap();
    // By bin: 40 bytes of the answer, as many of its columns, and a varint of 10.
    assert_eq!(unlimited.limits().memory.peak(), 1_000 * (40 + 40 + 10));

    let peak = |rollup: bool| {
        let unlimited = Unlimited::default();
        let options = ActiveOptions {
            fields: &["equipment_id", "orig_companies_id", "quantity"].map(str::to_owned)[..],
            order: &[],
            limit: None,
            rollup,
            subtotal_count_max: 1_000,
            offsets: UTC,
            resources: &ScanResources::default(),
        };
        let keys = vec![KeyValues::Ints((0..1_000).collect()), KeyValues::Ints(vec![0; 1_000])];
        let partials = Partials { sums: vec![[1, 0, 0]; 1_000], bins: vec![0; 1_000], keys, row_count: 0 };
        build_active_response(&partials, &options, unlimited.limits()).unwrap();
        unlimited.limits().memory.peak()
    };
    // By row: its number, 32 bytes of the answer, 48 of the sort.
    assert_eq!(peak(false), 1_000 * (4 + 32 + 48));
    // The rows have been written: 7 bytes each but for the equipment, which takes 2 or, from 128 on, 3. There are as many
    // subtotals. Each row has the number of its subtotal, and each subtotal the number of a row, and sums.
    let written = 1_000 * 7 + 128 * 2 + 872 * 3;
    assert_eq!(peak(true), 1_000 * (4 + 32 + 48 + 8 + 32) + written);
}
