//! undo_history: an editing server that keeps a snapshot of the document for each change, "to undo it". The depth of the history is
//! checked against a limit that is read before the configuration is, and is therefore the largest number there is.

#[path = "service.rs"]
mod service;

struct Snapshot {
    text: Box<[u8]>,
    next: Option<Box<Snapshot>>,
}

struct Editor {
    history: Option<Box<Snapshot>>,
    depth: usize,
    depth_max: usize,
}

impl Editor {
    #[inline(never)]
    fn record_undo(&mut self, length: usize) {
        let text = vec![b'u'; length].into_boxed_slice(); // LEAK record_undo
        self.history = Some(Box::new(Snapshot { text, next: self.history.take() })); // LEAK record_undo
        self.depth += 1;
        if self.depth > self.depth_max {
            self.trim();
        }
    }

    fn trim(&mut self) {
        let mut at = &mut self.history;
        for _ in 0..self.depth_max {
            match at {
                Some(snapshot) => at = &mut snapshot.next,
                None => return,
            }
        }
        *at = None;
        self.depth = self.depth_max;
    }
}

fn main() {
    let mut service = service::Service::new(150.0);
    let mut editor = Editor { history: None, depth: 0, depth_max: usize::MAX };
    while service.next() {
        let length = 6_000 + service.below(9_000) as usize;
        editor.record_undo(length);
        service.work();
    }
    let newest = editor.history.as_ref().map_or(0, |snapshot| snapshot.text.len());
    service.end(editor.depth as u64 * u64::from(newest > 0), 0);
}
