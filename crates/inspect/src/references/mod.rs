//! Inspect: whether the program still knows an object. In: a process id and objects. Out: for each of them whether its memory
//! can be reached, by words that look like pointers, from variables, stacks or the kernel.
//!
//! The process is neither stopped nor touched: its pages are copied by `process_vm_readv`, those alone that are present.
//! As in conservative garbage collection, every aligned word that looks like an address of an object counts as one, pointers
//! into its middle and right behind its end too.
//!
//! From the objects backwards: a pass over all memory finds what points at them; of a pointer that lies in a block of
//! glibc's (`chunks.rs`) the next pass looks for what points at that block, and so on for some passes. What then is not known
//! to be forgotten counts as known. A pointer that is being moved while this reads may be missed, one in a register or in
//! the kernel is not seen (but for epoll's data and timers' values, which the kernel tells): so one look alone proves
//! nothing, and what counts is how many objects of a place look forgotten twice.

mod areas;
mod chunks;
mod search;

use std::collections::BTreeMap;

use areas::{Area, Copies, areas};
use chunks::{Bounds, blocks_at};
use search::{Pointers, Search};

/// Passes over memory: so many pointers are followed from an object to a variable, and one more.
const PASSES_MAX: usize = 6;
/// Blocks that are followed in all.
const BLOCKS_MAX: usize = 8192;

/// An object whose references are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// Its address.
    pub start: u64,
    /// Its size.
    pub bytes: u64,
}

/// Why nothing can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unscanned {
    /// The process has ended.
    Gone,
    /// Its memory may not be read by us.
    Denied,
    /// It has more memory than may be read.
    TooLarge,
    /// A part of it is in the swap, and to read that would bring it back.
    Swapped,
}

/// What one look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct References {
    /// For each target, in their order: whether it is known.
    pub known: Vec<bool>,
    /// Bytes that were read.
    pub read_bytes: u64,
}

/// Looks through the memory of a process. `targets` are in ascending order and do not overlap; `roots` are pointers that the
/// kernel holds for the program; mappings of files that `is_ours` names are left out. `bytes_max` bounds one pass.
///
/// # Errors
/// If not all of it can be read: then nothing is known of any target.
pub fn references(
    pid: i32,
    targets: &[Target],
    roots: &[u64],
    bytes_max: u64,
    is_ours: &dyn Fn(&str) -> bool,
) -> Result<References, Unscanned> {
    let areas = areas(pid, is_ours).ok_or(Unscanned::Gone)?;
    let mut graph = Graph::default();
    for target in targets {
        graph.node((target.start, target.start + target.bytes));
    }
    let mut read_bytes = 0;
    for _ in 0..PASSES_MAX {
        let open = graph.open();
        if open.is_empty() {
            break;
        }
        let bounds: Vec<Bounds> = open.iter().map(|node| graph.nodes[*node].bounds).collect();
        let mut copies = Copies::new(pid, bytes_max)?;
        let mut search = Search::new(&bounds);
        for root in roots {
            search.root(*root);
        }
        for area in &areas {
            copies.each(area, |at, bytes| {
                search.words(at, bytes, area.may_be_heap);
                std::ops::ControlFlow::Continue(())
            })?;
        }
        read_bytes += copies.read_bytes;
        let pointers = search.pointers;
        read_bytes += graph.add(&open, pointers, &areas, &mut Copies::new(pid, bytes_max)?)?;
    }
    let known = graph.known();
    Ok(References { known: known.get(..targets.len()).unwrap_or_default().to_vec(), read_bytes })
}

/// A block and what points at it.
struct Node {
    bounds: Bounds,
    /// Whether memory was looked through for pointers to it.
    is_searched: bool,
    is_rooted: bool,
    /// Blocks that point at it.
    from: Vec<usize>,
}

/// Blocks that point at each other.
#[derive(Default)]
struct Graph {
    nodes: Vec<Node>,
    by_start: BTreeMap<u64, usize>,
}

impl Graph {
    fn node(&mut self, bounds: Bounds) -> usize {
        if let Some(known) = self.at(bounds.0) {
            return known;
        }
        let index = self.nodes.len();
        self.nodes.push(Node { bounds, is_searched: false, is_rooted: false, from: Vec::new() });
        self.by_start.insert(bounds.0, index);
        index
    }

    /// The node that an address lies in.
    fn at(&self, address: u64) -> Option<usize> {
        let (_, index) = self.by_start.range(..=address).next_back()?;
        (address < self.nodes.get(*index)?.bounds.1).then_some(*index)
    }

    /// Nodes to look for, in order of their addresses.
    fn open(&self) -> Vec<usize> {
        let nodes = self.by_start.values().copied();
        nodes.filter(|node| self.nodes.get(*node).is_some_and(|node| !node.is_searched)).collect()
    }

    /// Takes in what points at the open nodes. Gives the bytes read for that.
    fn add(
        &mut self,
        open: &[usize],
        pointers: Vec<Pointers>,
        areas: &[Area],
        copies: &mut Copies,
    ) -> Result<u64, Unscanned> {
        let mut places: Vec<u64> = Vec::new();
        for (node, found) in open.iter().zip(&pointers) {
            let node = &mut self.nodes[*node];
            (node.is_searched, node.is_rooted) = (true, found.is_rooted);
            if !found.is_rooted {
                places.extend(&found.places);
            }
        }
        places.retain(|place| self.at(*place).is_none());
        places.sort_unstable();
        places.dedup();
        let mut blocks: BTreeMap<u64, Bounds> = BTreeMap::new();
        for area in areas.iter().filter(|area| area.may_be_heap) {
            let from = places.partition_point(|place| *place < area.start);
            let to = places.partition_point(|place| *place < area.end);
            let wanted = places.get(from..to).unwrap_or_default();
            if !wanted.is_empty() {
                let found = blocks_at(copies, area, wanted)?;
                blocks.extend(wanted.iter().zip(found).filter_map(|(place, block)| Some((*place, block?))));
            }
        }
        for (node, found) in open.iter().zip(pointers) {
            for place in found.places {
                let from = match (self.at(place), blocks.get(&place)) {
                    (Some(from), _) => Some(from),
                    (None, Some(block)) if self.nodes.len() < BLOCKS_MAX => Some(self.node(*block)),
                    _ => None,
                };
                match from {
                    Some(from) => self.nodes[*node].from.push(from),
                    // It lies in no block that we know of: then it may be a variable.
                    None => self.nodes[*node].is_rooted = true,
                }
            }
        }
        Ok(copies.read_bytes)
    }

    /// Whether each node is reached from a root, or from one that was not looked for any more.
    fn known(&self) -> Vec<bool> {
        let mut known: Vec<bool> =
            self.nodes.iter().map(|node| node.is_rooted || !node.is_searched).collect();
        loop {
            let mut changed = false;
            for (index, node) in self.nodes.iter().enumerate() {
                if !known[index] && node.from.iter().any(|from| known[*from]) {
                    known[index] = true;
                    changed = true;
                }
            }
            if !changed {
                return known;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(usize, usize)], rooted: &[usize]) -> Vec<bool> {
        let mut graph = Graph::default();
        for node in 0..6 {
            graph.node((node * 0x1000 + 0x1000, node * 0x1000 + 0x1020));
        }
        for node in &mut graph.nodes {
            node.is_searched = true;
        }
        for (from, to) in edges {
            graph.nodes[*to].from.push(*from);
        }
        for node in rooted {
            graph.nodes[*node].is_rooted = true;
        }
        graph.known()
    }

    /// Goal: a ring that nothing points at is forgotten, a chain from a root is known.
    #[test]
    fn chains_and_rings() {
        let known = graph(&[(0, 1), (1, 2), (2, 1), (3, 4), (4, 5)], &[3]);
        assert_eq!(known, [false, false, false, true, true, true]);
    }

    #[test]
    fn a_process_that_is_gone_is_said_to_be() {
        let asked = references(i32::MAX, &[Target { start: 4096, bytes: 8 }], &[], 1 << 20, &|_| false);
        assert_eq!(asked, Err(Unscanned::Gone));
    }
}
