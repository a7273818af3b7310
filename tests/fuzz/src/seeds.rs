//! Fuzz, seeds: a segment and a control page as they are written, small enough that a mutation hits something that
//! matters. `seeds/` holds the same as files.

use memguard_segment::control::{Control, Refusal, Settings};
use memguard_segment::{
    AtomicU64, Capacities, Class, Descriptor, Event, EventKind, Frame, HeaderWord, Layout, Loss, ModuleInfo,
    Object, Record, Segment, StackEnd, control,
};
use std::sync::atomic::Ordering;

/// The smallest layout with something of everything: two pages.
pub const SMALL: Capacities = Capacities {
    live_buckets: 2,
    stacks: 2,
    frames: 8,
    modules: 1,
    ring_slots: 4,
    descriptors: 4,
    object_buckets: 2,
};

/// Words of these bytes, what is missing of the last one zero.
pub fn words(bytes: &[u8]) -> Vec<AtomicU64> {
    let word = |chunk: &[u8]| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        AtomicU64::new(u64::from_le_bytes(word))
    };
    bytes.chunks(8).map(word).collect()
}

fn bytes(words: &[AtomicU64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes()).collect()
}

/// A segment in use: a module, a stack, objects that live and died, events that were read and others that were not.
pub fn segment() -> Vec<u8> {
    let layout = Layout::new(SMALL).unwrap();
    let words = words(&vec![0; layout.bytes()]);
    let segment = Segment::format(&words, &layout).unwrap();
    assert!(segment.claim());
    for (word, value) in [(HeaderWord::Pid, 4242), (HeaderWord::ParentPid, 4241), (HeaderWord::State, 2)] {
        segment.set(word, value);
    }
    segment.set(HeaderWord::SampleIntervalBytes, 512 << 10);
    segment.set(HeaderWord::OriginMonotonicNs, 1_000_000_000);
    segment.set_exe(b"/usr/bin/service");
    segment.set_command(b"service\0--port\x0080\0");
    let module = ModuleInfo {
        bias: 0x5555_0000_0000,
        start: 0x5555_0000_0000,
        end: 0x5555_0010_0000,
        build_id: &[0xAB; 20],
        path: b"/usr/bin/service",
    };
    let number = segment.modules().add(&module).unwrap();
    let frame = |i: usize| Frame::new(number, 0x1000 + 0x10 * i as u64);
    let stack = segment
        .stacks()
        .unwrap()
        .insert(0x1234_5678_9ABC_DEF0, Class::Heap, 5, StackEnd::Complete, frame)
        .unwrap()
        .stack;
    for i in 1..=6u64 {
        let (address, born_ns) = (0x7F00_0000_0000 + 64 * i, 1_000 * i);
        let record = Record { address, size_bytes: 48 * i, born_ns, stack, p: 0.25 };
        segment.live().insert(&record).unwrap();
        segment.totals().birth(stack, record.size_bytes, 0.25);
        let event = Event {
            kind: EventKind::Birth,
            stack,
            address,
            size_bytes: 48 * i,
            born_ns,
            at_ns: born_ns,
            p: 0.25,
        };
        segment.ring().push(&event).unwrap();
        if i % 2 == 0 {
            let record = segment.live().remove(address).unwrap();
            segment.totals().death(stack, record.size_bytes, 0.25, 77_000);
            segment.ring().push(&Event { kind: EventKind::Death, at_ns: born_ns + 77_000, ..event }).unwrap();
        }
        while segment.ring().pending() > 2 {
            segment.ring().pop();
        }
    }
    for number in 0..3 {
        let descriptor = Descriptor { class: Some(Class::Socket), stack, born_ns: 5, owner: 0 };
        segment.descriptors().open(number, &descriptor).unwrap();
        let class = Some(Class::Thread);
        let handle = 0x7F00_0000_0700 + 4096 * u64::from(number);
        let object = Object { class, handle, detail: 0x5555_0000_1000, born_ns: 6, stack, extra: 4242 };
        segment.objects().insert(&object).unwrap();
        segment.totals().count_birth(stack);
    }
    segment.descriptors().close(1);
    segment.totals().count_death(stack, 77_000);
    segment.losses().count(Loss::StackTruncated);
    bytes(&words)
}

/// A control page of a session whose first segment is taken.
pub fn control() -> Vec<u8> {
    let words = words(&[0; control::WORDS * 8]);
    let settings =
        Settings { sample_interval_bytes: 512 << 10, first: Capacities::AUDIT, others: Capacities::GUARD };
    let page = Control::format(&words, &settings).unwrap();
    assert!(page.take_first());
    page.refuse(Refusal::NoSpace);
    bytes(&words)
}

/// Unwind tables, registers and a stack as [`crate::unwind`] takes them: a function that pushed a register.
pub fn unwind() -> Vec<u8> {
    let mut seed = vec![0b11, 5, 9];
    seed.extend([0x0c, 7, 8, 0x90, 1]); // CIE: the frame is rsp + 8, the return address below it
    seed.extend([0x41, 0x0e, 16, 0x86, 2, 0x44, 0x0d, 6, 0]); // FDE: push rbp; mov rbp, rsp
    seed.extend(1u64.to_le_bytes()); // stack pointer: the stack's second word
    seed.extend(4u64.to_le_bytes());
    for word in
        [0x8000_0000_0000_0006u64, 0x4000_0000_0000_0010, 0x8000_0000_0000_0008, 0x4000_0000_0000_0020, 0, 0]
    {
        seed.extend(word.to_le_bytes());
    }
    seed
}
