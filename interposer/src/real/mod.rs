//! Interposer: the functions we stand before, and a small arena for the time before they are known.
//!
//! All are resolved in one go by the first call of any hook (usually the constructor's), never lazily. `dlsym` may
//! allocate: until the resolution is done, calls are served from a static arena whose blocks are never given to
//! the real allocator. The page filter knows the arena's pages, so `free` and `realloc` find out without a cost to
//! anyone else.

pub mod bound;
pub mod resources;

use crate::{clock, filter};
use core::cell::UnsafeCell;
use core::ffi::{CStr, c_int, c_void};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// Declares, for every hooked function: the pointer to the next definition, its initial value (a function that
/// resolves everything first), and the name to look for. What many C libraries lack comes first: the loader's error message
/// about it is then allocated in the arena, and not the first block of the program's heap.
macro_rules! next_functions {
    ($($(#[$doc:meta])* $cell:ident, $name:literal, $boot:path, fn($($arg:ty),*) $(-> $ret:ty)?;)*) => {
        $($(#[$doc])* pub static $cell: Next<unsafe extern "C" fn($($arg),*) $(-> $ret)?> =
            Next::new($boot as unsafe extern "C" fn($($arg),*) $(-> $ret)? as *mut ());)*

        fn resolve_all() {
            $($cell.resolve($name);)*
        }
    };
}

/// A pointer to the next definition of a function, called through by hooks.
#[repr(transparent)]
pub struct Next<F> {
    pointer: AtomicPtr<()>,
    _function: core::marker::PhantomData<F>,
}

impl<F: Copy> Next<F> {
    const fn new(initial: *mut ()) -> Self {
        Self { pointer: AtomicPtr::new(initial), _function: core::marker::PhantomData }
    }

    /// The function to call.
    pub fn get(&self) -> F {
        let pointer = self.pointer.load(Ordering::Relaxed);
        // SAFETY: the table above pairs every cell with a function of type F, first the bootstrap one, then what
        // dlsym found under its name; both are pointers to functions of that type, and F is one pointer wide.
        unsafe { core::mem::transmute_copy::<*mut (), F>(&pointer) }
    }

    fn resolve(&self, name: &CStr) {
        let found = next(name);
        if !found.is_null() {
            self.pointer.store(found, Ordering::Relaxed);
        }
    }
}

/// Leads to a function that does nothing.
pub static NOTHING: Next<unsafe extern "C" fn(*mut c_void)> =
    Next::new(nothing as unsafe extern "C" fn(*mut c_void) as *mut ());

/// Does nothing.
///
/// # Safety
/// There is no condition.
pub unsafe extern "C" fn nothing(_: *mut c_void) {}

next_functions! {
    /// `cfree`, which glibc dropped in 2.26; there it is `free`.
    CFREE, c"cfree", boot::free, fn(*mut c_void);
    /// `free_sized` of C23; where there is none, `free`.
    FREE_SIZED, c"free_sized", boot::free_sized, fn(*mut c_void, usize);
    /// `free_aligned_sized` of C23; where there is none, `free`.
    FREE_ALIGNED_SIZED, c"free_aligned_sized", boot::free_aligned_sized, fn(*mut c_void, usize, usize);
    /// `malloc`.
    MALLOC, c"malloc", boot::malloc, fn(usize) -> *mut c_void;
    /// `calloc`.
    CALLOC, c"calloc", boot::calloc, fn(usize, usize) -> *mut c_void;
    /// `realloc`.
    REALLOC, c"realloc", boot::realloc, fn(*mut c_void, usize) -> *mut c_void;
    /// `reallocarray`; where there is none, `realloc` of the product.
    REALLOCARRAY, c"reallocarray", boot::reallocarray, fn(*mut c_void, usize, usize) -> *mut c_void;
    /// `free`.
    FREE, c"free", boot::free, fn(*mut c_void);
    /// `posix_memalign`.
    POSIX_MEMALIGN, c"posix_memalign", boot::posix_memalign, fn(*mut *mut c_void, usize, usize) -> c_int;
    /// `aligned_alloc`.
    ALIGNED_ALLOC, c"aligned_alloc", boot::aligned_alloc, fn(usize, usize) -> *mut c_void;
    /// `memalign`.
    MEMALIGN, c"memalign", boot::memalign, fn(usize, usize) -> *mut c_void;
    /// `valloc`.
    VALLOC, c"valloc", boot::valloc, fn(usize) -> *mut c_void;
    /// `pvalloc`.
    PVALLOC, c"pvalloc", boot::pvalloc, fn(usize) -> *mut c_void;
    /// `dlclose`; not an allocation: counted, because a closed module may make room for another.
    DLCLOSE, c"dlclose", boot::dlclose, fn(*mut c_void) -> c_int;
}

const UNRESOLVED: u32 = 0;
const RESOLVING: u32 = 1;
const RESOLVED: u32 = 2;
#[unsafe(link_section = ".data")]
static PROGRESS: AtomicU32 = AtomicU32::new(UNRESOLVED);
/// CPU time that it took, in ns.
#[unsafe(link_section = ".data")]
static RESOLVED_IN_NS: AtomicU64 = AtomicU64::new(0);

fn next(name: &CStr) -> *mut () {
    // SAFETY: a NUL-terminated name; RTLD_NEXT means "after the library this call is in".
    unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) }.cast()
}

/// Resolves everything, once. False while it is under way (in this thread, or in another).
pub fn resolve() -> bool {
    match PROGRESS.compare_exchange(UNRESOLVED, RESOLVING, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {
            let began_ns = clock::thread_cpu_ns();
            arena::mark();
            // The allocator's last: until one of them is known, allocations come from the arena. A real allocator that
            // was called earlier would start up in the middle of this, and call functions that are not known yet.
            resources::resolve_all();
            resolve_all();
            note_operators();
            forget_failures();
            RESOLVED_IN_NS.store(clock::thread_cpu_ns().saturating_sub(began_ns), Ordering::Relaxed);
            PROGRESS.store(RESOLVED, Ordering::Release);
            true
        }
        Err(state) => state == RESOLVED,
    }
}

/// CPU time that resolving took, in ns: in the constructor, or earlier if another library's constructor called a hook.
pub fn resolved_in_ns() -> u64 {
    RESOLVED_IN_NS.load(Ordering::Relaxed)
}

/// Whether the program's `operator new` is its allocator's own, which does not call malloc.
static OPERATORS_UNSEEN: AtomicBool = AtomicBool::new(false);

/// An operator of the library that `malloc` comes from passes unseen; of `libmemguard_operators.so`, which stands before it, not.
fn note_operators() {
    let operator = bound::bound!("_Znwm");
    // The usual case, and asking for a home reads a library's whole symbol table.
    if operator.is_null() {
        return;
    }
    let (theirs, allocator) = (home(operator), home(next(c"malloc").cast()));
    OPERATORS_UNSEEN.store(!theirs.is_null() && theirs == allocator, Ordering::Relaxed);
}

/// Where the module begins in which an address lies; null if in none.
fn home(address: *const c_void) -> *const c_void {
    let mut info = core::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: a place for one answer, of which zero bytes are a valid one.
    let (found, info) = unsafe { (libc::dladdr(address, info.as_mut_ptr()), info.assume_init()) };
    if found == 0 { core::ptr::null() } else { info.dli_fbase }
}

/// Whether objects that are made by `new` pass unseen in this process.
pub fn operators_pass_unseen() -> bool {
    OPERATORS_UNSEEN.load(Ordering::Relaxed)
}

/// A symbol that newer C libraries have; null elsewhere.
pub fn optional(name: &CStr) -> *mut () {
    // SAFETY: a NUL-terminated name.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    if found.is_null() {
        forget_failures();
    }
    found.cast()
}

/// A name that is missing leaves an error message behind, which the program would find. A search that succeeds takes it away,
/// and unlike `dlerror` does not put it into words first.
fn forget_failures() {
    next(c"free");
}

/// Marks the arena's pages in the page filter again, after it was cleared.
pub fn keep_bootstrap_marked() {
    arena::mark();
}

/// Whether a block comes from the bootstrap arena: it must never reach the real allocator.
pub fn is_bootstrap(block: *const c_void) -> bool {
    arena::contains(block as usize)
}

/// Moves a bootstrap block to the real allocator.
///
/// # Safety
/// `block` must be a live bootstrap block.
pub unsafe fn move_bootstrap(block: *const c_void, bytes: usize) -> *mut c_void {
    // SAFETY: malloc takes any size.
    let new = unsafe { MALLOC.get()(bytes) };
    if !new.is_null() {
        let old = arena::size(block as usize);
        // SAFETY: both blocks are at least that long, and distinct.
        unsafe { core::ptr::copy_nonoverlapping(block.cast::<u8>(), new.cast::<u8>(), old.min(bytes)) };
    }
    new
}

/// What the cells point at before the resolution. Each resolves, then calls the real function, or serves from the
/// arena if the resolution is what called it.
mod boot {
    use super::{
        ALIGNED_ALLOC, CALLOC, DLCLOSE, FREE, MALLOC, MEMALIGN, POSIX_MEMALIGN, PVALLOC, REALLOC, VALLOC,
        arena, c_int, c_void, is_bootstrap, resolve,
    };

    pub unsafe extern "C" fn malloc(bytes: usize) -> *mut c_void {
        // SAFETY: the program's own arguments, passed on.
        if resolve() { unsafe { MALLOC.get()(bytes) } } else { arena::take(bytes, 16) }
    }

    pub unsafe extern "C" fn calloc(count: usize, bytes: usize) -> *mut c_void {
        if resolve() {
            // SAFETY: the program's own arguments, passed on.
            return unsafe { CALLOC.get()(count, bytes) };
        }
        // The arena is zero and never reused.
        count.checked_mul(bytes).map_or(core::ptr::null_mut(), |n| arena::take(n, 16))
    }

    pub unsafe extern "C" fn realloc(block: *mut c_void, bytes: usize) -> *mut c_void {
        if resolve() {
            // SAFETY: the program's own arguments, passed on.
            return unsafe { REALLOC.get()(block, bytes) };
        }
        let new = arena::take(bytes, 16);
        if !new.is_null() && is_bootstrap(block) {
            let old = arena::size(block as usize);
            // SAFETY: both blocks lie in the arena, are that long, and distinct.
            unsafe { core::ptr::copy_nonoverlapping(block.cast::<u8>(), new.cast::<u8>(), old.min(bytes)) };
        }
        new
    }

    /// Also what stays where libc has none.
    pub unsafe extern "C" fn reallocarray(block: *mut c_void, count: usize, bytes: usize) -> *mut c_void {
        let Some(total) = count.checked_mul(bytes) else {
            // SAFETY: libc gives a valid pointer to this thread's errno.
            unsafe { *libc::__errno_location() = libc::ENOMEM };
            return core::ptr::null_mut();
        };
        // SAFETY: the program's own arguments, passed on.
        unsafe { REALLOC.get()(block, total) }
    }

    /// Also what `cfree` stays where libc has none.
    pub unsafe extern "C" fn free(block: *mut c_void) {
        if is_bootstrap(block) || !resolve() {
            return;
        }
        // SAFETY: the program's own argument, passed on; not from the arena.
        unsafe { FREE.get()(block) }
    }

    pub unsafe extern "C" fn free_sized(block: *mut c_void, _bytes: usize) {
        // SAFETY: the program's own argument, passed on. C23 7.24.3.4: equivalent to free.
        unsafe { free(block) }
    }

    pub unsafe extern "C" fn free_aligned_sized(block: *mut c_void, _alignment: usize, _bytes: usize) {
        // SAFETY: the program's own argument, passed on. C23 7.24.3.5: equivalent to free.
        unsafe { free(block) }
    }

    pub unsafe extern "C" fn posix_memalign(out: *mut *mut c_void, alignment: usize, bytes: usize) -> c_int {
        if resolve() {
            // SAFETY: the program's own arguments, passed on.
            return unsafe { POSIX_MEMALIGN.get()(out, alignment, bytes) };
        }
        let block = arena::take(bytes, alignment);
        if block.is_null() {
            return libc::ENOMEM;
        }
        // SAFETY: the caller gave a place for the result.
        unsafe { *out = block };
        0
    }

    macro_rules! aligned {
        ($($name:ident, $cell:ident, |$($arg:ident),*| $bytes:expr, $alignment:expr;)*) => {$(
            pub unsafe extern "C" fn $name($($arg: usize),*) -> *mut c_void {
                // SAFETY: the program's own arguments, passed on.
                if resolve() { unsafe { $cell.get()($($arg),*) } } else { arena::take($bytes, $alignment) }
            }
        )*};
    }
    aligned! {
        aligned_alloc, ALIGNED_ALLOC, |alignment, bytes| bytes, alignment;
        memalign, MEMALIGN, |alignment, bytes| bytes, alignment;
        valloc, VALLOC, |bytes| bytes, 4096;
        pvalloc, PVALLOC, |bytes| bytes.saturating_add(4095) & !4095, 4096;
    }

    pub unsafe extern "C" fn dlclose(handle: *mut c_void) -> c_int {
        // SAFETY: the program's own argument, passed on.
        if resolve() { unsafe { DLCLOSE.get()(handle) } } else { 0 }
    }
}

/// The bootstrap arena: blocks are cut off one after the other, each behind a word with its size.
mod arena {
    use super::{AtomicUsize, Ordering, UnsafeCell, c_void, filter};

    const BYTES: usize = 64 << 10;

    #[repr(align(4096))]
    struct Arena(UnsafeCell<[u8; BYTES]>);
    // SAFETY: blocks are disjoint; each belongs to the caller that took it.
    unsafe impl Sync for Arena {}

    static ARENA: Arena = Arena(UnsafeCell::new([0; BYTES]));
    #[unsafe(link_section = ".data")]
    static USED: AtomicUsize = AtomicUsize::new(0);

    fn start() -> usize {
        ARENA.0.get() as usize
    }

    /// Makes the page filter send every free of the arena's pages our way.
    pub fn mark() {
        filter::mark(start() as u64, BYTES as u64);
    }

    pub fn contains(address: usize) -> bool {
        address.wrapping_sub(start()) < BYTES
    }

    pub fn take(bytes: usize, alignment: usize) -> *mut c_void {
        let alignment = alignment.max(16);
        if !alignment.is_power_of_two() || alignment > 4096 || bytes > BYTES {
            return core::ptr::null_mut();
        }
        let room = bytes + 16 + alignment;
        let from = USED.fetch_add(room, Ordering::Relaxed);
        if from > BYTES || BYTES - from < room {
            return core::ptr::null_mut();
        }
        let block = (start() + from + 16).next_multiple_of(alignment);
        let size: *mut usize = core::ptr::with_exposed_provenance_mut(block - 8);
        // SAFETY: within the part of the arena that was just taken; aligned, as blocks are 16-aligned.
        unsafe { size.write(bytes) };
        core::ptr::with_exposed_provenance_mut(block)
    }

    pub fn size(block: usize) -> usize {
        let size: *const usize = core::ptr::with_exposed_provenance(block - 8);
        // SAFETY: `take` put the size there.
        unsafe { size.read() }
    }
}
