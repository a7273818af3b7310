//! Segment, for the model checker only (`--cfg loom`): the structures over any few words. A whole segment has too many
//! atomics to be explored.

use crate::{
    DescriptorTable, LiveTable, Losses, ModuleTable, ObjectTable, Ring, StackTable, TotalsTable, Words,
};
use crate::{descriptors, live_table, losses, modules, ring, stacks, totals};

/// See the module of the live table.
pub const BUCKET_WORDS: usize = live_table::BUCKET_WORDS;
/// See the module of the live table.
pub const fn window_words(buckets: usize) -> usize {
    live_table::window_words(buckets)
}

/// Words of one module.
pub const MODULE_WORDS: usize = modules::MODULE_WORDS;
/// Words of the ring's positions.
pub const RING_CONTROL_WORDS: usize = ring::CONTROL_WORDS;
/// Words before the stack table.
pub const STACK_CONTROL_WORDS: usize = stacks::CONTROL_WORDS;
/// Words of one stack.
pub const STACK_WORDS: usize = stacks::STACK_WORDS;
/// Words of one stack's totals.
pub const TOTALS_WORDS: usize = totals::TOTALS_WORDS;

/// Words before the descriptor table.
pub const DESCRIPTOR_CONTROL_WORDS: usize = descriptors::CONTROL_WORDS;
/// Words of one descriptor.
pub const DESCRIPTOR_WORDS: usize = descriptors::ENTRY_WORDS;

/// Words of the counters of losses.
pub const LOSS_WORDS: usize = losses::WORDS;

/// A descriptor table over these words.
pub fn descriptor_table(words: Words<'_>) -> DescriptorTable<'_> {
    DescriptorTable::new(words)
}

/// A live table over these words.
pub fn live_table<'a>(windows: Words<'a>, buckets: Words<'a>) -> LiveTable<'a> {
    LiveTable::new(windows, buckets)
}

/// The bucket in which an address is looked for first.
pub fn live_home(table: &LiveTable<'_>, address: u64) -> usize {
    table.home(address)
}

/// A table of objects over these words.
pub fn object_table<'a>(windows: Words<'a>, buckets: Words<'a>) -> ObjectTable<'a> {
    ObjectTable::new(windows, buckets)
}

/// Counters of losses over these words.
pub fn losses(words: Words<'_>) -> Losses<'_> {
    Losses::new(words)
}

/// A ring over these words.
pub fn ring<'a>(control: Words<'a>, slots: Words<'a>) -> Ring<'a> {
    Ring::new(control, slots)
}

/// A stack table over these words.
pub fn stack_table<'a>(table: Words<'a>, arena: Words<'a>) -> Option<StackTable<'a>> {
    StackTable::new(table, arena)
}

/// A module table over these words.
pub fn module_table(words: Words<'_>) -> ModuleTable<'_> {
    ModuleTable::new(words)
}

/// Totals over these words.
pub fn totals_table(words: Words<'_>) -> TotalsTable<'_> {
    TotalsTable::new(words)
}
