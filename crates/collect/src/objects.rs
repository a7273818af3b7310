//! Collect, objects: threads, children, timers and mappings that the hooks booked, joined with what the kernel says of
//! them. In: the process's object table, the kernel's lists. Out: holdings.
//!
//! The table says who made a thread or child and that nobody has joined or waited for it; the kernel says whether it is
//! still there.

use crate::redaction::Redaction;
use memguard_inspect::{ChildEntry, thread_name};
use memguard_model::{Class, Condition, Holding, Origin, StackId};
use memguard_segment::{Object, ObjectTable};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Names of threads are read of so many new ones a look at most.
const NAMES_MAX: usize = 64;

/// One process at one look.
pub struct View {
    /// What the hooks booked; read before the lists below, so that what it holds was there when they were made.
    pub booked: Vec<Object>,
    /// When they were made, on the process clock in ns.
    pub at_ns: u64,
    /// Process id.
    pub pid: i32,
    /// Its living threads, if they were listed.
    pub threads: Option<BTreeSet<i32>>,
    /// Its children, dead ones that nobody has waited for included, if they were listed.
    pub children: Option<Vec<ChildEntry>>,
    /// Starts of what is mapped, if that was listed.
    pub mapped: Option<Vec<(u64, u64)>>,
    /// What names may say.
    pub redaction: Redaction,
}

impl View {
    /// A copy of the table.
    pub fn copy(table: &ObjectTable<'_>) -> Vec<Object> {
        let mut objects = Vec::new();
        table.for_each(|object| objects.push(object));
        objects
    }
}

/// What is remembered of the objects between looks.
#[derive(Debug, Default)]
pub struct Objects {
    /// When a thread or child was first seen to be over, by class and handle.
    over_since_ns: HashMap<(Class, u64, u64), u64>,
    /// Names of threads by their task id.
    names: HashMap<i32, Arc<str>>,
    threads: Option<BTreeSet<i32>>,
    children: BTreeMap<i32, ChildEntry>,
    children_seen_ns: HashMap<i32, u64>,
    mapped: Option<Vec<(u64, u64)>>,
}

impl Objects {
    /// What is held now. `start_of` names the function that a thread began with.
    pub fn join(&mut self, view: &View, start_of: &mut dyn FnMut(u64) -> Option<String>) -> Vec<Holding> {
        self.take_lists(view);
        let mut over_before = std::mem::take(&mut self.over_since_ns);
        // Of threads that are not booked any more the names are let go.
        let mut names_before = std::mem::take(&mut self.names);
        let mut held = Vec::new();
        let mut names_left = NAMES_MAX;
        let mut booked_children = BTreeSet::new();
        for object in &view.booked {
            let Some(class) = object.class else { continue };
            let key = (class, object.handle, object.born_ns);
            let since_ns = over_before.remove(&key).unwrap_or(view.at_ns);
            let condition = match class {
                Class::Thread => self.thread(object, since_ns),
                Class::Child => {
                    booked_children.insert(object.handle as i32);
                    self.child(object, since_ns)
                }
                Class::Mapping => self.is_mapped(object).then_some(Condition::Ordinary),
                Class::PosixTimer => Some(Condition::Ordinary),
                _ => None,
            };
            let Some(condition) = condition else { continue };
            if let Condition::Ended { .. } = condition {
                self.over_since_ns.insert(key, since_ns);
            }
            held.push(Holding {
                id: object.handle,
                class,
                origin: Origin::Hooked,
                stack: StackId(object.stack),
                born_ns: object.born_ns,
                size_bytes: if class == Class::Mapping { object.detail } else { 0 },
                condition,
                used_ns: None,
                name: self.name(class, object, view, &mut names_before, &mut names_left, start_of),
            });
        }
        self.strangers(view, &booked_children, &mut held);
        held
    }

    fn take_lists(&mut self, view: &View) {
        if let Some(threads) = &view.threads {
            self.threads = Some(threads.clone());
        }
        if let Some(children) = &view.children {
            self.children = children.iter().map(|child| (child.pid, child.clone())).collect();
            let at_ns = view.at_ns;
            self.children_seen_ns.retain(|pid, _| self.children.contains_key(pid));
            for child in children.iter().filter(|child| child.state == 'Z') {
                self.children_seen_ns.entry(child.pid).or_insert(at_ns);
            }
        }
        if view.mapped.is_some() {
            self.mapped.clone_from(&view.mapped);
        }
    }

    /// `None`: it is over, and nobody has to know.
    fn thread(&self, object: &Object, since_ns: u64) -> Option<Condition> {
        let is_detached = object.extra & Object::DETACHED != 0;
        let task = object.extra & !Object::DETACHED;
        let is_over = match (task, &self.threads) {
            (0, _) => true,
            (Object::NO_TASK, _) | (_, None) => false,
            (task, Some(threads)) => !threads.contains(&(task as i32)),
        };
        match (is_over, is_detached) {
            (true, true) => None,
            (true, false) => Some(Condition::Ended { since_ns }),
            (false, true) => Some(Condition::Detached),
            (false, false) => Some(Condition::Ordinary),
        }
    }

    /// `None`: the kernel has reaped it by itself, or somebody waited past the hooks.
    fn child(&self, object: &Object, since_ns: u64) -> Option<Condition> {
        let child = self.children.get(&(object.handle as i32))?;
        Some(if child.state == 'Z' { Condition::Ended { since_ns } } else { Condition::Ordinary })
    }

    fn is_mapped(&self, object: &Object) -> bool {
        let Some(mapped) = &self.mapped else { return true };
        // The list may be older than the mapping; then it says nothing, and the next one will.
        let next = mapped.partition_point(|(_, end)| *end <= object.handle);
        mapped.get(next).is_some_and(|(start, _)| *start <= object.handle)
    }

    fn name(
        &mut self,
        class: Class,
        object: &Object,
        view: &View,
        names_before: &mut HashMap<i32, Arc<str>>,
        names_left: &mut usize,
        start_of: &mut dyn FnMut(u64) -> Option<String>,
    ) -> Arc<str> {
        match class {
            Class::Thread => {
                let task = (object.extra & !Object::DETACHED) as i32;
                if let Some(name) = names_before.remove(&task) {
                    self.names.insert(task, name.clone());
                    return name;
                }
                let started = start_of(object.detail).map(|start| format!(" started with {start}"));
                if *names_left == 0 {
                    return Arc::from("thread");
                }
                *names_left -= 1;
                let called = thread_name(view.pid, task);
                let called = called.as_deref().map(|name| view.redaction.text(name));
                let name: Arc<str> =
                    Arc::from(format!("{}{}", called.unwrap_or("thread"), started.unwrap_or_default()));
                self.names.insert(task, name.clone());
                name
            }
            Class::Child => {
                let child = self.children.get(&(object.handle as i32));
                Arc::from(child.map_or("", |child| view.redaction.text(&child.name)))
            }
            Class::PosixTimer => Arc::from("POSIX timer"),
            _ => Arc::from(""),
        }
    }

    /// Dead children that no hook saw being made: by libc itself, or by a raw system call.
    fn strangers(&self, view: &View, booked: &BTreeSet<i32>, held: &mut Vec<Holding>) {
        for child in self.children.values().filter(|child| child.state == 'Z' && !booked.contains(&child.pid))
        {
            let since_ns = self.children_seen_ns.get(&child.pid).copied().unwrap_or(view.at_ns);
            held.push(Holding {
                id: u64::from(child.pid.unsigned_abs()),
                class: Class::Child,
                origin: Origin::Unhooked,
                stack: StackId(0),
                born_ns: since_ns,
                size_bytes: 0,
                condition: Condition::Ended { since_ns },
                used_ns: None,
                name: Arc::from(view.redaction.text(&child.name)),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redaction::Redaction;

    /// Goal: a server with a thread per request does not fill memory with names. Method: a thousand threads, one after
    /// the other; none of them has a name, as their process is not there.
    #[test]
    fn names_go_with_their_threads() {
        let mut objects = Objects::default();
        for task in 1..1000_u32 {
            let thread = Object {
                class: Some(Class::Thread),
                handle: u64::from(task),
                detail: 0,
                born_ns: u64::from(task),
                stack: 1,
                extra: task,
            };
            let view = View {
                booked: vec![thread],
                at_ns: u64::from(task),
                pid: i32::MAX,
                threads: Some(BTreeSet::from([task as i32])),
                children: None,
                mapped: None,
                redaction: Redaction::Off,
            };
            assert_eq!(objects.join(&view, &mut |_| None).len(), 1);
            assert_eq!(objects.names.len(), 1);
        }
    }
}
