//! Interposer, joining: the variables that a collector needs, copied while the environment cannot change. In: the
//! environment in the constructor. Out: `NAME=value` strings, NUL-terminated, one behind the other.

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Room for the strings, in bytes.
const BYTES_MAX: usize = 8192;
/// What a collector's environment has, so that it is never watched itself.
pub const COLLECTOR: &[u8] = b"MEMGUARD_COLLECTOR=1";

/// Where a collector looks for its place and its settings, beside everything that begins with `MEMGUARD_`.
const NAMES: [&[u8]; 6] = [b"HOME=", b"XDG_STATE_HOME=", b"XDG_CONFIG_HOME=", b"TZ=", b"LANG=", b"LC_ALL="];
const OWN: &[u8] = b"MEMGUARD_";
const TRUE: [&[u8]; 4] = [b"1", b"true", b"yes", b"on"];

struct Place(UnsafeCell<[u8; BYTES_MAX]>);
// SAFETY: written by the constructor alone; read-only afterwards.
unsafe impl Sync for Place {}

static NOTED: Place = Place(UnsafeCell::new([0; BYTES_MAX]));
static NOTED_BYTES: AtomicUsize = AtomicUsize::new(0);
static EVERYTHING: AtomicBool = AtomicBool::new(false);

/// Copies the variables; false if this is a collector or there is no room for them all.
pub fn note() -> bool {
    let list: *const *const *const c_char = crate::real::optional(c"environ").cast();
    if list.is_null() {
        return true;
    }
    // SAFETY: libc's variable; the constructor runs before the program can change it from another thread.
    let mut at = unsafe { *list };
    while !at.is_null() {
        // SAFETY: an array of pointers that ends with a null.
        let text = unsafe { *at };
        if text.is_null() {
            break;
        }
        // SAFETY: every entry is a NUL-terminated string.
        let text = unsafe { CStr::from_ptr(text) };
        if !note_one(text) {
            return false;
        }
        // SAFETY: not yet the end.
        at = unsafe { at.add(1) };
    }
    true
}

fn note_one(text: &CStr) -> bool {
    let bytes = text.to_bytes_with_nul();
    if text.to_bytes() == COLLECTOR {
        return false;
    }
    if let Some(value) = text.to_bytes().strip_prefix(b"MEMGUARD_AGGRESSIVE=") {
        EVERYTHING.store(TRUE.contains(&value), Ordering::Relaxed);
    }
    if !bytes.starts_with(OWN) && !NAMES.iter().any(|name| bytes.starts_with(name)) {
        return true;
    }
    let from = NOTED_BYTES.load(Ordering::Relaxed);
    // SAFETY: only the constructor writes.
    let place = unsafe { &mut *NOTED.0.get() };
    let Some(into) = place.get_mut(from..from + bytes.len()) else { return false };
    into.copy_from_slice(bytes);
    NOTED_BYTES.store(from + bytes.len(), Ordering::Relaxed);
    true
}

/// What was copied.
pub fn noted() -> &'static [u8] {
    // SAFETY: read-only since the constructor.
    let place = unsafe { &*NOTED.0.get() };
    place.get(..NOTED_BYTES.load(Ordering::Relaxed)).unwrap_or_default()
}

/// Whether `MEMGUARD_AGGRESSIVE` is on.
pub fn wants_everything() -> bool {
    EVERYTHING.load(Ordering::Relaxed)
}
