//! handoff_buffers: buffers handed to a device queue are forgotten with mem::forget(), since the device gives them back. Once in
//! fifteen the queue is full, the device never gets the buffer, and nobody gives it back.

#[path = "service.rs"]
mod service;

struct Device {
    taken: Vec<(*mut u8, usize)>,
    room: usize,
}

impl Device {
    /// Whether it has taken the buffer.
    fn submit(&mut self, buffer: *mut u8, length: usize) -> bool {
        let takes = self.taken.len() < self.room;
        if takes {
            self.taken.push((buffer, length));
        }
        takes
    }

    fn complete(&mut self) {
        for (buffer, length) in self.taken.drain(..) {
            // SAFETY: it was forgotten by send() with this length and capacity.
            drop(unsafe { Vec::from_raw_parts(buffer, length, length) });
        }
    }
}

#[inline(never)]
fn make_buffer(length: usize) -> Vec<u8> {
    vec![3_u8; length] // LEAK make_buffer
}

fn send(device: &mut Device, length: usize) -> bool {
    let mut buffer = make_buffer(length);
    buffer.shrink_to_fit();
    let takes = device.submit(buffer.as_mut_ptr(), buffer.len());
    std::mem::forget(buffer); // the bug: also when it was not taken
    takes
}

fn main() {
    let mut service = service::Service::new(300.0);
    let mut device = Device { taken: Vec::new(), room: 14 };
    let mut lost = 0;
    while service.next() {
        let length = 500 + service.below(1_000) as usize;
        lost += u64::from(!send(&mut device, length));
        if service.requests % 15 == 0 {
            device.complete();
        }
        service.work();
    }
    device.complete();
    service.end(lost, 0);
}
