//! Inspect: a text file of the kernel, line by line, with one buffer however long the file is. In: a path and the most
//! bytes to read. Out: each line, without its end; a line that is not UTF-8 is shown with replacement characters.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::ops::ControlFlow;

/// What the kernel fills at a time: larger than a page, so that long files take few system calls.
const BUFFER_BYTES: usize = 16 * 1024;

/// Hands every line to `see` until it breaks off. `None` if the file cannot be opened; else whether all of it was seen.
/// A read error in the middle (the process ended) counts as not all.
pub(crate) fn for_each_line(
    path: &str,
    bytes_max: u64,
    see: impl FnMut(&str) -> ControlFlow<()>,
) -> Option<bool> {
    let file = File::open(path).ok()?;
    Some(each_line_of(BufReader::with_capacity(BUFFER_BYTES, file.take(bytes_max)), see))
}

fn each_line_of(
    mut reader: BufReader<std::io::Take<impl Read>>,
    mut see: impl FnMut(&str) -> ControlFlow<()>,
) -> bool {
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.read_until(b'\n', &mut line) {
            Ok(0) => return reader.get_ref().limit() > 0,
            Ok(_) => {
                let text = line.strip_suffix(b"\n").unwrap_or(&line);
                if see(&String::from_utf8_lossy(text)).is_break() {
                    return false;
                }
            }
            Err(_) => return false,
        }
    }
}

/// The text after `key` at the start of a line, without the blanks around it.
pub(crate) fn value_of<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.strip_prefix(key).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(text: &[u8], bytes_max: u64) -> (Vec<String>, bool) {
        let mut seen = Vec::new();
        let all = each_line_of(BufReader::new(text.take(bytes_max)), |line| {
            seen.push(line.to_owned());
            ControlFlow::Continue(())
        });
        (seen, all)
    }

    #[test]
    fn a_long_file_is_cut_and_said_to_be() {
        assert_eq!(lines_of(b"", 10), (vec![], true));
        assert_eq!(lines_of(b"a\nb", 10), (vec!["a".to_owned(), "b".to_owned()], true));
        assert_eq!(lines_of(b"abcdef\n", 3), (vec!["abc".to_owned()], false));
        assert_eq!(lines_of(b"\xff\n", 10), (vec!["\u{fffd}".to_owned()], true));
    }

    #[test]
    fn a_missing_file_is_none() {
        assert_eq!(for_each_line("/proc/self/no such file", 10, |_| ControlFlow::Continue(())), None);
    }
}
