//! Collect, unbooked: threads and POSIX timers of a process without hooks. In: the kernel's lists. Out: holdings, born when a list
//! showed them first.
//!
//! As with descriptors, what the first list shows was there before, and what comes later counts from the second list that
//! shows it. The main thread is the process itself and is left out.

use crate::redaction::Redaction;
use memguard_inspect::{posix_timers, thread_ids, thread_name};
use memguard_model::{Class, Condition, Holding, Origin, StackId};
use std::collections::HashMap;
use std::sync::Arc;

/// Names of threads are read of so many new ones a look at most.
const NAMES_MAX: usize = 64;

/// What is remembered between looks.
#[derive(Debug, Default)]
pub struct Unbooked {
    listed_before: bool,
    seen: HashMap<(Class, u64), Seen>,
}

#[derive(Debug, Clone)]
struct Seen {
    first_ns: u64,
    origin: Origin,
    lists: u32,
    name: Arc<str>,
}

impl Unbooked {
    /// Lists them anew. A list that cannot be read shows nothing: the process has ended, or the kernel has no such list.
    pub fn list(&mut self, pid: i32, at_ns: u64, redaction: Redaction) -> Vec<Holding> {
        let threads = thread_ids(pid).unwrap_or_default().into_iter().filter(|tid| *tid != pid);
        let timers = posix_timers(pid).unwrap_or_default().into_iter().map(|timer| timer.id);
        let key = |class| move |id: i32| (class, u64::from(id.unsigned_abs()));
        let keys: Vec<_> =
            threads.map(key(Class::Thread)).chain(timers.map(key(Class::PosixTimer))).collect();
        let mut names_left = NAMES_MAX;
        let mut name = |class: Class, id: u64| -> Arc<str> {
            if class == Class::PosixTimer {
                return Arc::from("POSIX timer");
            }
            let called = (names_left > 0).then(|| thread_name(pid, id as i32)).flatten();
            names_left = names_left.saturating_sub(1);
            Arc::from(called.as_deref().map_or("thread", |name| redaction.text(name)))
        };
        self.take(&keys, at_ns, &mut name)
    }

    fn take(
        &mut self,
        keys: &[(Class, u64)],
        at_ns: u64,
        name: &mut dyn FnMut(Class, u64) -> Arc<str>,
    ) -> Vec<Holding> {
        let mut before = std::mem::take(&mut self.seen);
        let origin = if self.listed_before { Origin::Unhooked } else { Origin::Inherited };
        self.listed_before = true;
        let mut held = Vec::new();
        for (class, id) in keys {
            let fresh = || Seen { first_ns: at_ns, origin, lists: 0, name: name(*class, *id) };
            let mut seen = before.remove(&(*class, *id)).unwrap_or_else(fresh);
            seen.lists = seen.lists.saturating_add(1);
            if seen.lists > 1 {
                held.push(Holding {
                    id: *id,
                    class: *class,
                    origin: seen.origin,
                    stack: StackId(0),
                    born_ns: seen.first_ns,
                    size_bytes: 0,
                    condition: Condition::Ordinary,
                    used_ns: None,
                    name: seen.name.clone(),
                });
            }
            self.seen.insert((*class, *id), seen);
        }
        held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(unbooked: &mut Unbooked, threads: &[u64], at_ns: u64) -> Vec<Holding> {
        let keys: Vec<_> = threads.iter().map(|id| (Class::Thread, *id)).collect();
        unbooked.take(&keys, at_ns, &mut |_, id| Arc::from(format!("worker-{id}")))
    }

    /// Goal: what was there before is inherited; what comes later is born at the list that showed it first, and one list
    /// alone says nothing.
    #[test]
    fn birth_is_the_first_list() {
        let mut unbooked = Unbooked::default();
        assert!(look(&mut unbooked, &[7], 10).is_empty());
        let held = look(&mut unbooked, &[7, 8], 20);
        assert_eq!(held.iter().map(|h| (h.id, h.origin)).collect::<Vec<_>>(), [(7, Origin::Inherited)]);
        let held = look(&mut unbooked, &[7, 8], 30);
        assert_eq!((held[1].id, held[1].origin, held[1].born_ns), (8, Origin::Unhooked, 20));
        assert_eq!(&*held[1].name, "worker-8");
    }

    /// Goal: a number that is gone and comes again is another thread.
    #[test]
    fn a_number_used_again_is_born_again() {
        let mut unbooked = Unbooked::default();
        for at_ns in [10, 20, 30] {
            look(&mut unbooked, &[8], at_ns);
        }
        assert!(look(&mut unbooked, &[], 40).is_empty());
        look(&mut unbooked, &[8], 50);
        let held = look(&mut unbooked, &[8], 60);
        assert_eq!((held[0].origin, held[0].born_ns), (Origin::Unhooked, 50));
    }

    /// Goal: the kernel's lists are read. Method: this process and a thread of its own.
    #[test]
    fn an_own_thread_is_listed() {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let mut unbooked = Unbooked::default();
        let pid = std::process::id() as i32;
        unbooked.list(pid, 1, Redaction::Off);
        let thread = std::thread::Builder::new()
            .name("outside-seen".into())
            .spawn(move || {
                let _ = stopped.recv();
            })
            .expect("a thread");
        let is_named = |held: &[Holding]| held.iter().any(|h| &*h.name == "outside-seen");
        let mut seen = false;
        // The thread names itself when it runs: lists are made until it has, and a name is read once.
        while !thread.is_finished() && !seen {
            let mut fresh = Unbooked::default();
            fresh.list(pid, 2, Redaction::Off);
            seen = is_named(&fresh.list(pid, 3, Redaction::Off));
        }
        drop(stop);
        thread.join().expect("it ends");
        assert!(seen);
    }
}
