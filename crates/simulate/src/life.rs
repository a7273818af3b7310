//! Simulate, lives: one object or thing as it was seen, with the weight it stands for.
//! In: made from samples and things. Out: what naive rules go by.

/// From birth to end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Life {
    /// The place it was made at.
    pub site: u32,
    /// Birth, in seconds.
    pub at_s: f64,
    /// End, in seconds; [`crate::FOREVER`] if it has none.
    pub dies_s: f64,
    /// Whether the program still refers to it.
    pub referenced: bool,
    /// What it stands for: bytes of memory, or one thing.
    pub weight: f64,
}
