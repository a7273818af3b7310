//! Inspect: the entries of a `/proc` directory that are numbers (descriptors, threads, processes), ascending, without
//! an allocation per entry. In: a directory. Out: its numbers.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, RawDir, open};

/// What one `getdents` call fills: about 600 entries.
const BUFFER_BYTES: usize = 16 * 1024;

/// Opens a directory; `None` if it is gone or may not be seen.
pub(crate) fn open_directory(path: &str) -> Option<OwnedFd> {
    open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()
}

/// Fills `numbers` with at most `count_max` numbers of the directory. `None` if it cannot be read.
pub(crate) fn read_numbers(directory: impl AsFd, count_max: usize, numbers: &mut Vec<u32>) -> Option<()> {
    numbers.clear();
    let mut buffer = [MaybeUninit::uninit(); BUFFER_BYTES];
    let mut entries = RawDir::new(directory, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry.ok()?;
        if let Some(number) = decimal(entry.file_name().to_bytes()) {
            if numbers.len() >= count_max {
                break;
            }
            numbers.push(number);
        }
    }
    // The kernel lists them in order today, which makes this one pass.
    numbers.sort_unstable();
    Some(())
}

/// The numbers of the directory at `path`.
pub(crate) fn numbers_at(path: &str, count_max: usize) -> Option<Vec<u32>> {
    let mut numbers = Vec::new();
    read_numbers(open_directory(path)?, count_max, &mut numbers)?;
    Some(numbers)
}

fn decimal(name: &[u8]) -> Option<u32> {
    // `from_ascii` of the standard library would accept a sign.
    name.first().filter(|b| b.is_ascii_digit())?;
    std::str::from_utf8(name).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_are_listed_and_in_order() {
        let directory = tempfile::tempdir().expect("a directory");
        for name in ["10", "9", "x", "+7", "-1", "99999999999", "3x", "0"] {
            std::fs::write(directory.path().join(name), "").expect("a file");
        }
        let path = directory.path().to_str().expect("UTF-8");
        assert_eq!(numbers_at(path, 100), Some(vec![0, 9, 10]));
        assert_eq!(numbers_at(path, 2).map(|n| n.len()), Some(2));
        assert_eq!(numbers_at("/proc/no such directory", 2), None);
    }
}
