//! Collect, redaction: what the names of resources may say. In: paths and addresses. Out: the same, or nothing of them.
//! Done here, at the source: what is redacted is never stored.

use std::sync::Arc;

/// Whether paths and addresses are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Redaction {
    /// As they are.
    #[default]
    Off,
    /// Paths, endpoints, thread and command names are left out.
    On,
}

/// What stands for anything that is left out.
const HIDDEN: &str = "(redacted)";

impl Redaction {
    /// A path.
    pub fn path(self, path: &str) -> Arc<str> {
        Arc::from(self.text(path))
    }

    /// An endpoint; an empty one says nothing and stays empty.
    pub fn address(self, address: &str) -> &str {
        if address.is_empty() { address } else { self.text(address) }
    }

    /// Anything else that may tell of the user's affairs.
    pub fn text(self, text: &str) -> &str {
        match self {
            Self::Off => text,
            Self::On => HIDDEN,
        }
    }
}
