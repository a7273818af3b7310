//! Launcher, sessions: one directory per `memguard run`, and how to find it again.
//! In: a folder choice, a command. Out: [`Session`]s with their `session.json`.

mod error;
mod id;
mod liveness;
mod lock;
mod place;
mod record;
mod store;

pub use error::SessionError;
pub use liveness::Identity;
pub use lock::SessionLock;
pub use place::Place;
pub use record::Record;
pub use store::{Session, Store};
