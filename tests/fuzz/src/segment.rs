//! Fuzz, segment: the bytes are a segment file. Everything is read, the ring comes to rest, and what a process does to
//! a segment is done to it: nothing panics, runs on for ever, or gives more than there is room for.

use memguard_segment::{
    Class, Descriptor, Event, EventKind, Frame, Layout, Loss, ModuleInfo, Next, Object, PATH_BYTES_MAX,
    Record, Ring, Segment, StackEnd,
};

use super::seeds::{SMALL, words};

/// The target.
pub fn run(data: &[u8]) {
    let words = words(data);
    if let Ok(segment) = Segment::open(&words) {
        read(&segment);
        settle(&segment.ring());
        write(&segment);
        read(&segment);
    }
    // As a reader does that checked the header earlier; but here it may also be too short.
    let layout = Layout::new(SMALL).unwrap();
    let segment = Segment::with_layout(&words, &layout);
    read(&segment);
    settle(&segment.ring());
    write(&segment);
    read(&segment);
}

/// Reads every part to its end.
pub fn read(segment: &Segment<'_>) {
    let capacities = segment.layout().capacities;
    let _ = segment.state();
    for room in [0, 3, 4096] {
        let mut text = vec![0; room];
        assert!(segment.exe(&mut text) <= room && segment.command(&mut text) <= room);
    }
    let _ = Loss::ALL.map(|(loss, _)| segment.losses().get(loss));
    for index in (0..=u16::try_from(capacities.modules).unwrap()).chain([u16::MAX]) {
        if let Some(module) = segment.modules().get(index) {
            assert!(usize::from(index) < capacities.modules);
            assert!(module.path().len() <= PATH_BYTES_MAX && module.build_id().len() <= 32);
        }
    }
    if let Some(stacks) = segment.stacks() {
        for stack in (0..=stacks.capacity()).chain([u32::MAX]) {
            let mut frames = 0;
            stacks.for_each_frame(stack, |_| frames += 1);
            assert!(frames <= capacities.frames);
            let _ = (stacks.shape(stack), stacks.exists(stack), segment.totals().get(stack));
        }
    }
    let mut objects = 0;
    segment.live().for_each(|record| {
        assert!(record.address > 1);
        objects += 1;
    });
    assert!(objects <= segment.live().capacity());
    let descriptors = segment.descriptors();
    assert!(descriptors.extent() <= descriptors.capacity());
    let open = (0..=descriptors.capacity()).filter(|number| descriptors.get(*number).is_some()).count();
    assert!(open <= descriptors.capacity() as usize);
    let mut others = 0;
    segment.objects().for_each(|_| others += 1);
    assert!(others <= segment.objects().capacity());
    assert!(segment.ring().pending() <= segment.ring().capacity());
}

/// Reads the ring until nothing is left, which takes a bounded number of steps, and finds it usable then: at once, or,
/// where the damage was in a place that was free, as soon as the reader has come by there.
fn settle(ring: &Ring<'_>) {
    drain(ring);
    for at_ns in 0..2 * ring.capacity() {
        let event =
            Event { kind: EventKind::Death, stack: 1, address: 64, size_bytes: 8, born_ns: 1, at_ns, p: 1.0 };
        if ring.push(&event).is_err() {
            drain(ring);
            ring.push(&event).unwrap();
        }
        assert_eq!(ring.pop(), Next::Event(event));
    }
}

fn drain(ring: &Ring<'_>) {
    for _ in 0..2 * ring.capacity() + 2 {
        if matches!(ring.pop(), Next::Unfinished) {
            ring.abandon();
        }
    }
    assert_eq!(ring.pop(), Next::Empty);
}

/// What a process does.
fn write(segment: &Segment<'_>) {
    let _ = segment.claim();
    segment.set_exe(b"/bin/x");
    let module = ModuleInfo { bias: 1, start: 2, end: 3, build_id: &[1, 2, 3], path: b"/lib/x.so" };
    let _ = segment.modules().add(&module);
    let live = segment.live();
    for address in [16, 32, 0x7F00_0000_0040, !15] {
        let _ = live.remove(address);
        let record = Record { address, size_bytes: 5, born_ns: 6, stack: 1, p: 0.5 };
        let stored = live.insert(&record).is_ok();
        if stored {
            // Marks of objects that passed over may have been damaged: then it may be out of reach, not another one.
            assert!(live.remove(address).is_none_or(|found| found.address == address));
        }
    }
    if let Some(stacks) = segment.stacks() {
        for hash in [1, 1 << 17, u64::MAX] {
            for count in [0, 3, 1 << 20] {
                if let Ok(inserted) =
                    stacks.insert(hash, Class::Heap, count, StackEnd::Complete, |i| Frame::new(1, i as u64))
                {
                    assert!(inserted.stack < stacks.capacity());
                }
            }
        }
    }
    let descriptor = Descriptor { class: Some(Class::File), stack: 1, born_ns: 6, owner: 0 };
    for number in [0, 3, 4, u32::MAX] {
        segment.descriptors().adopt(number, Class::Stream, 9);
        if segment.descriptors().open(number, &descriptor).is_ok() {
            assert_eq!(segment.descriptors().close(number), Some(descriptor));
        }
    }
    let object =
        Object { class: Some(Class::Mapping), handle: 4096, detail: 1, born_ns: 2, stack: 1, extra: 0 };
    let key = Object::key_of(Class::Mapping, 4096);
    let _ = segment.objects().remove(key);
    if segment.objects().insert(&object).is_ok() {
        assert!(segment.objects().remove(key).is_none_or(|found| found.handle == 4096));
    }
    for stack in [0, 1, 2, u32::MAX] {
        segment.totals().count_birth(stack);
        segment.totals().count_death(stack, 7);
        segment.totals().birth(stack, 5, 0.5);
        segment.totals().death(stack, 5, 0.5, 7);
    }
    segment.losses().count(Loss::RingFull);
}
