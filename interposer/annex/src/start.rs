//! Annex, the start: finds the functions behind the doors and opens them. In: the library's table of names. Out: doors that
//! lead to counting entries where the allocator defines the name, and straight on elsewhere.

use crate::door::Door;
use crate::{interface, withdraw};
use core::ffi::{CStr, c_void};
use core::mem::MaybeUninit;

/// One exported name.
pub struct Row {
    /// Its door.
    pub door: &'static Door,
    /// The name.
    pub name: &'static CStr,
    /// The exported function itself.
    pub exported: *const (),
    /// The entry that counts.
    pub counting: *const (),
    /// What to call where nobody else defines the name.
    pub missing: *const (),
}

// SAFETY: constants; the pointers are to functions.
unsafe impl Sync for Row {}

/// Whose definitions are watched.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// Of the library that defines `malloc` too. Anyone else's operators call malloc, and are seen there.
    Malloc,
    /// Of whoever defines the name.
    Any,
}

/// The next definition behind this library.
fn next(name: &CStr) -> *const () {
    // SAFETY: a NUL-terminated name; RTLD_NEXT means "after the library this call is in".
    let found: *mut c_void = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
    found.cast_const().cast()
}

/// The start of the module in which an address lies; null if in none.
pub(crate) fn home(address: *const ()) -> *const c_void {
    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: a place for one answer, read only if it was given.
    unsafe {
        if libc::dladdr(address.cast(), info.as_mut_ptr()) == 0 {
            return core::ptr::null();
        }
        info.assume_init().dli_fbase
    }
}

/// Opens all doors. Whoever comes first does it; a second one at the same time does the same, to the same end. A name that is
/// there is found without an allocation, so nothing that this calls comes back here.
pub fn open_doors(rows: &[Row], home_wanted: Home) {
    let counts = interface::find();
    let allocator = home(next(c"malloc"));
    for row in rows {
        let real = next(row.name);
        if real.is_null() {
            row.door.open(row.missing, row.missing);
        } else if counts && (home_wanted == Home::Any || home(real) == allocator) {
            row.door.open(row.counting, real);
        } else {
            row.door.open(real, real);
        }
    }
    // A name that is missing leaves an error message behind, which the program would find.
    // SAFETY: takes nothing; the message it returns is not used.
    unsafe { libc::dlerror() };
}

/// The constructor's work: opens the doors and takes back the names that nobody is counted by.
pub fn start(rows: &[Row], home_wanted: Home) {
    open_doors(rows, home_wanted);
    for row in rows {
        if !row.door.leads_to(row.counting) {
            withdraw::withdraw(row.exported, home(core::ptr::from_ref(row.door).cast()));
        }
    }
}
