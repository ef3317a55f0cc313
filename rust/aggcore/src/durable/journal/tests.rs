//! What a journal file holds after appends, damage and changes by other programs.
#![allow(clippy::unwrap_used)] // A test may panic.

use std::fs::OpenOptions;

use super::*;

fn frame(text: &str) -> Vec<u8> {
    Frame { received_us: 7, batch: text.as_bytes() }.to_bytes()
}

fn written(groups: &[&[&str]]) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(directory.path(), 3, 2, 0).unwrap();
    for group in groups {
        let frames: Vec<_> = group.iter().map(|text| frame(text)).collect();
        journal.append(frames.iter().map(Vec::as_slice)).unwrap();
    }
    let path = directory.path().join(name(3));
    (directory, path)
}

fn read(directory: &Path) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    replay(directory, 3, |frame| {
        texts.push(String::from_utf8_lossy(frame.batch).into_owned());
        Ok(())
    })?;
    Ok(texts)
}

#[test]
fn replay_returns_batches_in_order() {
    let (directory, _) = written(&[&["a", "bb"], &["ccc"]]);
    assert_eq!(sequences(directory.path()).unwrap(), [3]);
    assert_eq!(read(directory.path()).unwrap(), ["a", "bb", "ccc"]);
}

#[test]
fn every_flipped_byte_is_reported_as_damage() {
    let (directory, path) = written(&[&["a", "bb"], &["ccc"]]);
    let good = std::fs::read(&path).unwrap();
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(read(directory.path()), Err(Error::Damaged { .. })), "byte {at}");
    }
}

#[test]
fn torn_frame_after_the_synced_bytes_ends_the_file() {
    let (directory, path) = written(&[&["a"]]);
    let synced = std::fs::read(&path).unwrap();
    let mut unsynced = synced.clone();
    for text in ["bb", "ccc"] {
        unsynced.extend(frame(text));
    }
    for end in synced.len()..unsynced.len() {
        std::fs::write(&path, &unsynced[..end]).unwrap();
        let texts = read(directory.path()).unwrap();
        assert!(texts == ["a"] || texts == ["a", "bb"], "{texts:?}");
    }
}

#[test]
fn a_file_cut_short_is_damaged() {
    let (directory, path) = written(&[&["a"]]);
    let synced = std::fs::read(&path).unwrap();
    for end in 0..synced.len() {
        std::fs::write(&path, &synced[..end]).unwrap();
        assert!(matches!(read(directory.path()), Err(Error::Damaged { .. })), "byte {end}");
    }
}

#[test]
fn a_file_of_format_1_is_replayed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name(3));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let frame = frame("a");
    let header = header_of_format_1(3, (HEADER_BYTES_OF_FORMAT_1 + frame.len()) as u64);
    std::fs::write(&path, [&header[..], &frame].concat()).unwrap();
    assert_eq!(read(directory.path()).unwrap(), ["a"]);
    assert_eq!(predecessor(directory.path(), 3).unwrap(), None);
}

#[test]
fn a_header_names_the_file_before() {
    let (directory, _) = written(&[&["a"]]);
    assert_eq!(predecessor(directory.path(), 3).unwrap(), Some(2));
}

#[test]
fn a_file_whose_length_another_program_changed_takes_no_frames() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(directory.path(), 3, 0, 0).unwrap();
    journal.append([frame("a").as_slice()].into_iter()).unwrap();
    let path = directory.path().join(name(3));
    OpenOptions::new().write(true).truncate(true).open(path).unwrap();
    assert!(matches!(journal.append([frame("b").as_slice()].into_iter()), Err(Error::Damaged { .. })));
}

#[test]
fn a_trial_write_leaves_only_the_header() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::create(directory.path(), 3, 0, 10_000).unwrap();
    assert_eq!(std::fs::metadata(directory.path().join(name(3))).unwrap().len(), journal.bytes());
    assert_eq!(read(directory.path()).unwrap(), [""; 0]);
}
