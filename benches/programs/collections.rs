//! collections: Rust that allocates as programs do. Words are counted, grouped, sorted and joined; boxes form a tree.
//! collections ROUNDS

use std::collections::{BTreeMap, HashMap, VecDeque};

struct Node {
    key: u64,
    left: Option<Box<Node>>,
    right: Option<Box<Node>>,
}

fn insert(place: &mut Option<Box<Node>>, key: u64) {
    match place {
        None => *place = Some(Box::new(Node { key, left: None, right: None })),
        Some(node) if key < node.key => insert(&mut node.left, key),
        Some(node) => insert(&mut node.right, key),
    }
}

fn next_random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn main() {
    let rounds: u64 = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(100_000);
    let mut state = 88_172_645_463_325_252;
    let mut groups: HashMap<u64, Vec<String>> = HashMap::new();
    let mut index: BTreeMap<String, usize> = BTreeMap::new();
    let mut recent: VecDeque<String> = VecDeque::new();
    let mut tree = None;
    let mut length = 0;
    for round in 0..rounds {
        let random = next_random(&mut state);
        let word = format!("word number {} of the text", random % 4096);
        *index.entry(word.clone()).or_default() += 1;
        recent.push_back(word.to_uppercase());
        if recent.len() > 1000 {
            length += recent.pop_front().map_or(0, |old| old.len());
        }
        let group = groups.entry(random % 512).or_default();
        group.push(word);
        if group.len() == 64 {
            group.sort();
            length += group.join(" ").len();
            group.clear();
        }
        insert(&mut tree, random);
        if round % 2048 == 0 {
            tree = None;
        }
    }
    println!("{length} {} {}", index.len(), tree.is_some());
}
