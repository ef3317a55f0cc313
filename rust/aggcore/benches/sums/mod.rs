//! Synthetic results of scans, from which responses are built.
#![allow(dead_code, clippy::unwrap_used)] // Each bench uses some of these; a bench may panic.

use aggcore::testing::Unlimited;
use aggcore::{
    Figures, KeyValues, Partials, UsageOptions, UtcOffsets, build_folder_response, build_quality_response, build_usage_response,
};

const FROM_US: i64 = 1_767_225_600_000_000;
const FIVE_MINUTES_US: i64 = 300_000_000;
const DAY_US: i64 = 86_400_000_000;
const SMA_PERIOD: usize = 7;
/// Central European Time in 2026: UTC+1, in summer UTC+2.
const OFFSETS: UtcOffsets<'_> =
    UtcOffsets { change_us: &[1_774_746_000_000_000, 1_792_890_000_000_000], offset_s: &[3_600, 7_200, 3_600] };

/// The result of a scan, and the edges of its bins.
pub struct Sums {
    pub partials: Partials,
    pub edges: Vec<i64>,
}

/// Returns sums by bin of five minutes.
pub fn in_bins(bin_count: i64) -> Sums {
    let partials = Partials {
        sums: (0..bin_count).map(|bin| [bin % 97 + 1, bin % 97 / 2, bin % 97 * 61_003]).collect(),
        bins: (0..bin_count as u32).collect(),
        keys: Vec::new(),
        row_count: 0,
    };
    Sums { partials, edges: edges(bin_count, FIVE_MINUTES_US) }
}

/// Returns sums by day, folder and agent. Each agent belongs to one folder.
pub fn of_folders(day_count: u32, folder_count: u32, agents_each: u32) -> Sums {
    let agent_count = folder_count * agents_each;
    let cells = (0..day_count).flat_map(|day| (0..agent_count).map(move |agent| (day, agent)));
    let texts =
        |name: &str, count: u32| (0..=count).map(|n| if n == 0 { String::new() } else { format!("{name} {n}") }).collect();
    let keys = vec![
        KeyValues::Texts {
            codes: cells.clone().map(|(_, agent)| agent / agents_each + 1).collect(),
            entries: texts("folder", folder_count),
        },
        KeyValues::Texts { codes: cells.clone().map(|(_, agent)| agent + 1).collect(), entries: texts("agent", agent_count) },
    ];
    let sums = cells.clone().map(|(_, agent)| [i64::from(agent) + 1, i64::from(agent / 2), i64::from(agent) * 61_003]).collect();
    Sums {
        partials: Partials { sums, bins: cells.map(|(day, _)| day).collect(), keys, row_count: 0 },
        edges: edges(day_count.into(), DAY_US),
    }
}

impl Sums {
    /// Returns the calls of all cells.
    pub fn call_count(&self) -> i64 {
        self.partials.sums.iter().map(|sums| sums[0]).sum()
    }

    pub fn quality(&self) -> Vec<u8> {
        build_quality_response(&self.partials, &self.edges, &self.edges, Figures::ALL, Unlimited::default().limits()).unwrap()
    }

    pub fn usage(&self) -> Vec<u8> {
        let (edges, now_us) = (self.edges.as_slice(), i64::MAX);
        build_usage_response(
            &self.partials,
            &UsageOptions { edges, warmup_bin_count: 0, sma_period: Some(SMA_PERIOD), now_us, offsets: OFFSETS },
            Unlimited::default().limits(),
        )
        .unwrap()
    }

    pub fn folders(&self) -> Vec<u8> {
        build_folder_response(&self.partials, &self.edges, &OFFSETS, Figures::ALL, Unlimited::default().limits()).unwrap()
    }
}

fn edges(bin_count: i64, width_us: i64) -> Vec<i64> {
    (0..=bin_count).map(|bin| FROM_US + bin * width_us).collect()
}
