//! Walks through the test process itself, over its real tables, compared with what libgcc's unwinder finds.

mod common;

use common::{expected_callers, pool, registers, sealed, stack_from, walk_fixed};
use memguard_unwind::{FRAMES_MAX, Lease, ModuleSet, Registers, StackMemory, Walk, WalkEnd};
use std::hint::black_box;

/// A walk and what it should have found behind its first frame.
struct Compared {
    walk: Walk,
    frames: Vec<u64>,
    expected: Vec<u64>,
}

/// Walks from here, both ways.
#[inline(never)]
fn compare(modules: &ModuleSet, scratch: &mut Lease<'_>) -> Compared {
    let expected = expected_callers();
    let (walk, frames) = walk_fixed(registers!(), modules, scratch);
    Compared { walk, frames, expected }
}

impl Compared {
    fn assert_complete(&self) {
        assert_eq!(self.walk.end, WalkEnd::Complete);
        assert_eq!(self.frames[1..], self.expected, "frames behind the first");
    }
}

/// A chain of different frames: leaf-like, with much on the stack, with an array whose size only the run knows.
#[inline(never)]
fn chain(depth: usize, modules: &ModuleSet, scratch: &mut Lease<'_>) -> Compared {
    #[inline(never)]
    fn much(depth: usize, modules: &ModuleSet, scratch: &mut Lease<'_>) -> Compared {
        let block = black_box([depth; 500]);
        let compared = chain(block[3] - 1, modules, scratch);
        black_box(block);
        compared
    }
    #[inline(never)]
    fn through_a_closure(depth: usize, modules: &ModuleSet, scratch: &mut Lease<'_>) -> Compared {
        let mut result = None;
        let call: &mut dyn FnMut(usize) = &mut |depth| result = Some(chain(depth, modules, scratch));
        black_box(call)(depth - 1);
        black_box(result).unwrap()
    }
    let compared = match depth {
        0 => compare(modules, scratch),
        d if d % 3 == 0 => much(depth, modules, scratch),
        d if d % 3 == 1 => through_a_closure(depth, modules, scratch),
        _ => chain(depth - 1, modules, scratch),
    };
    black_box(&compared);
    compared
}

#[test]
fn finds_what_libgcc_finds() {
    let (modules, pool) = (sealed(), pool(1));
    for depth in 0..40 {
        chain(depth, &modules, &mut pool.lease(0).unwrap()).assert_complete();
    }
}

#[test]
fn a_thread_is_walked_to_its_start() {
    let modules = sealed();
    std::thread::scope(|scope| {
        for depth in [0, 3, 20] {
            let modules = &modules;
            scope.spawn(move || chain(depth, modules, &mut pool(1).lease(0).unwrap()).assert_complete());
        }
    });
}

/// A stack on which another language's frames lie: qsort and its comparison.
#[test]
fn walks_through_libc() {
    struct Arguments<'a> {
        modules: &'a ModuleSet,
        result: Option<Compared>,
    }
    std::thread_local! {
        static ARGUMENTS: std::cell::Cell<*mut std::ffi::c_void> = const { std::cell::Cell::new(std::ptr::null_mut()) };
    }
    extern "C" fn order(_: *const std::ffi::c_void, _: *const std::ffi::c_void) -> i32 {
        // SAFETY: set by the test around the call of qsort, in this thread.
        let arguments = unsafe { &mut *ARGUMENTS.get().cast::<Arguments<'_>>() };
        arguments.result = Some(compare(arguments.modules, &mut pool(1).lease(0).unwrap()));
        0
    }
    let modules = sealed();
    let mut arguments = Arguments { modules: &modules, result: None };
    ARGUMENTS.set((&raw mut arguments).cast());
    let mut numbers = [3, 1, 2];
    // SAFETY: sorts an array of three integers by a function that takes two pointers.
    unsafe { libc::qsort(numbers.as_mut_ptr().cast(), 3, size_of::<i32>(), Some(order)) };
    arguments.result.unwrap().assert_complete();
}

/// A signal handler: the walk ends at the kernel's return code, whatever was interrupted.
#[test]
#[cfg(target_arch = "x86_64")]
fn ends_at_a_signal_frame() {
    use std::sync::Mutex;
    static RESULT: Mutex<Option<Compared>> = Mutex::new(None);
    static MODULES: Mutex<Option<Box<ModuleSet>>> = Mutex::new(None);
    extern "C" fn handle(_: i32) {
        let compared = compare(MODULES.lock().unwrap().as_ref().unwrap(), &mut pool(1).lease(0).unwrap());
        *RESULT.lock().unwrap() = Some(compared);
    }
    *MODULES.lock().unwrap() = Some(sealed());
    // SAFETY: the signal is raised here, where the handler's locks and allocations do no harm.
    unsafe {
        libc::signal(libc::SIGUSR1, handle as extern "C" fn(i32) as usize);
        libc::raise(libc::SIGUSR1);
    }
    let compared = RESULT.lock().unwrap().take().unwrap();
    // Comparison, handler, the kernel's return code.
    assert_eq!((compared.walk.frames, compared.walk.end), (3, WalkEnd::Complete));
    assert_eq!(compared.frames[1..3], compared.expected[..2]);
    assert!(compared.expected.len() > 5, "the other walk goes on into what was interrupted");
}

#[test]
fn deep_stacks_keep_their_innermost_frames() {
    #[inline(never)]
    fn deep(left: usize, modules: &ModuleSet, scratch: &mut Lease<'_>) -> Compared {
        let compared = if left == 0 { compare(modules, scratch) } else { deep(left - 1, modules, scratch) };
        black_box(compared)
    }
    let (modules, pool) = (sealed(), pool(1));
    let compared = deep(FRAMES_MAX + 50, &modules, &mut pool.lease(0).unwrap());
    assert_eq!(compared.walk.end, WalkEnd::Truncated);
    assert_eq!(compared.walk.frames, FRAMES_MAX);
    assert_eq!(compared.frames[1..], compared.expected[..FRAMES_MAX - 1]);
    // One frame less than the limit is complete: the limit itself is not mistaken for the end.
    let base = deep(0, &modules, &mut pool.lease(0).unwrap()).frames.len();
    for (extra, end) in [(0, WalkEnd::Complete), (1, WalkEnd::Truncated)] {
        let compared = deep(FRAMES_MAX - base + extra, &modules, &mut pool.lease(0).unwrap());
        assert_eq!((compared.walk.frames, compared.walk.end), (FRAMES_MAX, end), "{extra} more than fit");
    }
}

#[test]
fn equal_stacks_have_equal_hashes_and_others_others() {
    let (modules, pool) = (sealed(), pool(2));
    let mut hashes = std::collections::HashSet::new();
    for depth in 0..30 {
        let mut two = Vec::new();
        // The same place in the same loop: the stacks are equal, the working memories (cold and warm) are not.
        for hint in black_box(vec![0, 1, 0, 1]) {
            let mut scratch = pool.lease(hint).unwrap();
            two.push(chain(depth, &modules, &mut scratch).walk.hash);
        }
        assert!(two.iter().all(|hash| *hash == two[0]), "depth {depth}");
        assert!(hashes.insert(two[0]), "depth {depth} has a hash of its own");
    }
}

/// What lies outside the given stack is not read: the walk ends there.
#[test]
fn a_stack_that_ends_early_ends_the_walk() {
    #[inline(never)]
    fn cut(bytes: u64, modules: &ModuleSet, scratch: &mut Lease<'_>) -> (Walk, Vec<u64>) {
        let registers = registers!();
        // SAFETY: the lower part of the used stack; nothing else is readable.
        let mut memory =
            unsafe { StackMemory::new(registers.sp & !7, (registers.sp & !7) + bytes, |_, _| false) };
        let walked = memguard_unwind::walk(registers, &mut memory, modules, &common::NoLoader, scratch);
        (walked, scratch.frames[..walked.frames].to_vec())
    }
    let (modules, pool) = (sealed(), pool(1));
    let (_, end) = common::thread_stack();
    let far = end - (registers!().sp & !7);
    let mut longest: Vec<u64> = Vec::new();
    for bytes in (0..6000.min(far)).step_by(8) {
        let (walked, frames) = cut(bytes, &modules, &mut pool.lease(0).unwrap());
        assert!(walked.end == WalkEnd::Incomplete || walked.end == WalkEnd::Complete);
        assert!(frames.starts_with(&longest), "more stack, more frames");
        longest = frames;
    }
    assert!(longest.len() > 2);
}

#[test]
fn nothing_known_gives_the_first_frame_only() {
    let (modules, pool) = (ModuleSet::new(), pool(1));
    let registers = registers!();
    let (walked, frames) = walk_fixed(registers, &modules, &mut pool.lease(0).unwrap());
    assert_eq!((walked.end, frames), (WalkEnd::Incomplete, vec![registers.ip]));
    let nowhere = Registers { ip: 0, ..registers };
    let walked = memguard_unwind::walk(
        nowhere,
        &mut stack_from(registers.sp),
        &sealed(),
        &common::NoLoader,
        &mut pool.lease(0).unwrap(),
    );
    assert_eq!((walked.frames, walked.end), (1, WalkEnd::Incomplete));
}
