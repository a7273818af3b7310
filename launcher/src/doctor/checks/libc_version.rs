//! Launcher, doctor: the version of glibc, as the library that this process runs with says of itself.

use memguard_inspect::loaded_modules;

use super::super::Patient;
use super::super::answer::Answer;

/// Oldest version that the interposer can be loaded into.
const OLDEST: (u32, u32) = (2, 34);
const PRODUCT: &[u8] = b"GNU C Library";
const VERSION: &[u8] = b"release version ";

/// Whether it is new enough.
pub fn version(_: &Patient) -> Option<Answer> {
    let modules = loaded_modules(std::process::id() as i32).unwrap_or_default();
    let path =
        modules.iter().find(|path| path.rsplit('/').next().is_some_and(|name| name.starts_with("libc.so")));
    let told = path.and_then(|path| std::fs::read(&**path).ok()).and_then(|bytes| told(&bytes));
    let remedy = format!(
        "use a system with glibc {}.{} or newer (Debian 12, Ubuntu 22.04, RHEL 9)",
        OLDEST.0, OLDEST.1
    );
    Some(match told {
        Some(version) if version >= OLDEST => Answer::ok(format!("glibc {}.{}", version.0, version.1)),
        Some(version) => Answer::none(format!("glibc {}.{} is too old", version.0, version.1), remedy),
        None => Answer::warn("the version of the C library is not known", remedy),
    })
}

/// `GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.`
fn told(library: &[u8]) -> Option<(u32, u32)> {
    let after = |bytes: &'_ [u8], words: &[u8]| {
        bytes.windows(words.len()).position(|window| window == words).map(|at| at + words.len())
    };
    let product = library.get(after(library, PRODUCT)?..)?;
    let number = product.get(after(product, VERSION)?..)?;
    let end = number.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.')?;
    let text = std::str::from_utf8(number.get(..end)?).ok()?;
    let mut parts = text.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_tells_its_version() {
        let text = b"\0GNU C Library (Debian GLIBC 2.36-9+deb12u10) stable release version 2.36.\nCopyright";
        assert_eq!(told(text), Some((2, 36)));
        for other in
            [&b""[..], b"GNU C Library", b"GNU C Library release version ", b"release version 2.36.\n"]
        {
            assert_eq!(told(other), None);
        }
    }
}
