//! Inspect: one line that describes a mapping, as in `/proc/PID/maps` and at the head of each entry of `smaps`.
//! In: a line. Out: its fields; `None` for a line of another form.

/// `start-end rwxp offset device inode path`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MapLine<'a> {
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// `rwxp`, `r--s`, …
    pub(crate) permissions: &'a str,
    /// Whether it is a mapping of a file.
    pub(crate) has_inode: bool,
    /// The file, or the kernel's name in brackets; may hold blanks, and is empty for plain memory.
    pub(crate) path: &'a str,
}

impl<'a> MapLine<'a> {
    pub(crate) fn parse(line: &'a str) -> Option<Self> {
        let mut rest = line;
        let mut field = || {
            let trimmed = rest.trim_start();
            let (field, tail) = trimmed.split_once(' ').unwrap_or((trimmed, ""));
            rest = tail;
            (!field.is_empty()).then_some(field)
        };
        let (start, end) = field()?.split_once('-')?;
        let start = u64::from_str_radix(start, 16).ok()?;
        let end = u64::from_str_radix(end, 16).ok()?;
        let permissions = field().filter(|text| text.len() == 4)?;
        let (_offset, _device) = (field()?, field()?);
        let has_inode = field()? != "0";
        // The path is the rest: it may hold blanks.
        let path = rest.trim_start();
        (start < end).then_some(Self { start, end, permissions, has_inode, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_paths_with_blanks() {
        let line = MapLine::parse("7f00-7f10 r-xp 00000000 fd:00 12     /usr/lib/my lib.so").expect("whole");
        assert_eq!((line.start, line.end, line.permissions, line.has_inode), (0x7f00, 0x7f10, "r-xp", true));
        assert_eq!(line.path, "/usr/lib/my lib.so");
        let plain = MapLine::parse("10-20 rw-p 00000000 00:00 0 ").expect("whole");
        assert_eq!((plain.path, plain.has_inode), ("", false));
        assert_eq!(MapLine::parse("10-20 rw-p 00000000 00:00 0"), Some(plain));
    }

    #[test]
    fn nonsense_is_left_out() {
        for line in
            ["", "x", "12", "12-", "12-zz r", "-", "ffffffffffffffffff-0 r", "a b c d e", "20-10 rw-p 0 0 0"]
        {
            assert_eq!(MapLine::parse(line), None, "{line}");
        }
        assert_eq!(MapLine::parse("Rss:                 4 kB"), None);
        assert_eq!(MapLine::parse("7f00-7f01 r-xp"), None);
    }
}
