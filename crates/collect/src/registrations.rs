//! Collect, registrations: what a process has registered and not taken back. In: the kernel's lists of epoll instances and
//! inotify instances, the process's object table. Out: holdings, one per registration.
//!
//! The kernel decides what is registered. A registration whose descriptor the process has closed lives on while anybody
//! has the same file open: that is how epoll leaks.

use crate::descriptors::Descriptors;
use memguard_inspect::{DescriptorKind, FdDetail, fd_info};
use memguard_model::{Class, Condition, Holding, Origin, StackId};
use memguard_segment::Object;
use std::collections::HashMap;
use std::sync::Arc;

/// Registrations kept of one process.
const KEPT_MAX: usize = 65_536;

/// What is remembered between looks.
#[derive(Debug, Default)]
pub struct Registrations {
    /// First look at which a registration was seen, and first at which it was without a descriptor.
    seen: HashMap<Key, Seen>,
    held: Vec<(Key, Holding)>,
}

/// Class, instance, target, inode.
type Key = (Class, u32, u32, u64);

#[derive(Debug, Clone, Copy)]
struct Seen {
    first_ns: u64,
    orphaned_ns: Option<u64>,
}

impl Registrations {
    /// Reads the kernel's lists anew.
    pub fn list(&mut self, pid: i32, at_ns: u64, descriptors: &Descriptors, booked: &[Object]) {
        let stacks: HashMap<(Class, u64), &Object> =
            booked.iter().filter_map(|object| Some(((object.class?, object.handle), object))).collect();
        let before = std::mem::take(&mut self.seen);
        let held_before = std::mem::take(&mut self.held);
        for instance in descriptors.of_kind(DescriptorKind::Epoll) {
            let class = Class::EpollRegistration;
            match fd_info(pid, instance).map(|info| info.detail) {
                None => self.keep_all(class, instance, &before, &held_before),
                Some(FdDetail::Epoll { registrations }) => {
                    for entry in registrations {
                        let is_orphaned = !descriptors.holds(entry.descriptor, entry.inode);
                        let key = (class, instance, entry.descriptor, entry.inode);
                        self.keep(key, at_ns, is_orphaned, &before, &stacks);
                    }
                }
                Some(_) => {}
            }
        }
        for instance in descriptors.of_kind(DescriptorKind::Inotify) {
            let class = Class::InotifyWatch;
            match fd_info(pid, instance).map(|info| info.detail) {
                None => self.keep_all(class, instance, &before, &held_before),
                Some(FdDetail::Inotify { watches }) => {
                    for watch in watches {
                        self.keep(
                            (class, instance, watch.watch, watch.inode),
                            at_ns,
                            false,
                            &before,
                            &stacks,
                        );
                    }
                }
                Some(_) => {}
            }
        }
    }

    /// An instance that could not be read this time holds what it held.
    fn keep_all(&mut self, class: Class, instance: u32, seen: &HashMap<Key, Seen>, held: &[(Key, Holding)]) {
        let own = |key: &Key| key.0 == class && key.1 == instance;
        self.seen.extend(seen.iter().filter(|(key, _)| own(key)).map(|(key, seen)| (*key, *seen)));
        self.held.extend(held.iter().filter(|(key, _)| own(key)).cloned());
    }

    fn keep(
        &mut self,
        key: Key,
        at_ns: u64,
        is_orphaned: bool,
        before: &HashMap<Key, Seen>,
        stacks: &HashMap<(Class, u64), &Object>,
    ) {
        if self.held.len() >= KEPT_MAX {
            return;
        }
        let (class, instance, target, inode) = key;
        let booked = stacks.get(&(class, Object::registration_handle(instance, target)));
        let known = before.get(&key);
        let first_ns =
            known.map_or_else(|| booked.map_or(at_ns, |object| object.born_ns), |seen| seen.first_ns);
        let orphaned_ns = is_orphaned.then(|| known.and_then(|seen| seen.orphaned_ns).unwrap_or(at_ns));
        self.seen.insert(key, Seen { first_ns, orphaned_ns });
        let name = match class {
            Class::InotifyWatch => format!("watch {target} of inotify descriptor {instance}"),
            _ => format!("descriptor {target} in epoll descriptor {instance}"),
        };
        let holding = Holding {
            // Several registrations of one number can be alive: it was closed and given out again.
            id: Object::registration_handle(instance, target) ^ inode << 20,
            class,
            origin: if booked.is_some() { Origin::Hooked } else { Origin::Unhooked },
            stack: StackId(booked.map_or(0, |object| object.stack)),
            born_ns: first_ns,
            size_bytes: 0,
            condition: orphaned_ns.map_or(Condition::Ordinary, |since_ns| Condition::Orphaned { since_ns }),
            used_ns: None,
            name: Arc::from(name),
        };
        self.held.push((key, holding));
    }

    /// What is registered, as of the last lists.
    pub fn held(&self) -> impl Iterator<Item = &Holding> {
        self.held.iter().map(|(_, holding)| holding)
    }
}
