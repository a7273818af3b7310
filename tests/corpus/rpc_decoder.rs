//! rpc_decoder: a decoder that hands frames through a C-style interface: into_raw() on one side, from_raw() on the other.
//!
//! A frame whose length field is wrong, one in twenty-five, is refused by an early return on the far side, and never becomes a box
//! again. With `fixed` it does.

#[path = "service.rs"]
mod service;

struct Frame {
    length: usize,
    payload: Vec<u8>,
}

#[inline(never)]
fn read_frame(length: usize, wrong: bool) -> *mut Frame {
    let payload = vec![7_u8; length]; // LEAK read_frame
    Box::into_raw(Box::new(Frame { length: length + usize::from(wrong), payload }))
    // LEAK read_frame
}

fn decode(frame: *mut Frame) -> Result<usize, &'static str> {
    if cfg!(fixed) {
        // SAFETY: it comes from read_frame and is taken once.
        let frame = unsafe { Box::from_raw(frame) };
        return if frame.length == frame.payload.len() { Ok(frame.length) } else { Err("length") };
    }
    // SAFETY: it comes from read_frame and lives on.
    let seen = unsafe { &*frame };
    if seen.length != seen.payload.len() {
        return Err("length"); // the bug
    }
    // SAFETY: as above, and nobody else takes it.
    let frame = unsafe { Box::from_raw(frame) };
    Ok(frame.length)
}

fn main() {
    let mut service = service::Service::new(350.0);
    let (mut bytes, mut refused) = (0, 0);
    while service.next() {
        let length = 100 + service.below(900) as usize;
        let wrong = service.uniform() < 0.04;
        match decode(read_frame(length, wrong)) {
            Ok(length) => bytes += length,
            Err(_) => refused += 1,
        }
        service.work();
    }
    assert!(bytes > 0);
    service.end(if cfg!(fixed) { 0 } else { refused }, 0);
}
