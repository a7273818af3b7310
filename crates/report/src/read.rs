//! Report: reading a stored document.
//! In: the bytes of a file. Out: a [`Report`], or the one reason why not.

use serde::Deserialize;
use thiserror::Error;

use crate::document::{Report, SCHEMA};

/// Why a stored report could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// No JSON, or cut off.
    #[error("this is no JSON document: {0}")]
    NotJson(#[source] serde_json::Error),
    /// JSON, but something else.
    #[error("this is no MemGuard report: it has no \"schema\"")]
    NoSchema,
    /// Written by another version.
    #[error("this report is of format \"{found}\", this version of MemGuard reads \"{SCHEMA}\"")]
    OtherSchema {
        /// What it says it is.
        found: String,
    },
    /// The right format, but a field is missing or of the wrong type.
    #[error("this report is damaged: {0}")]
    Malformed(#[source] serde_json::Error),
}

/// Reads a document. Fields that this version does not know are ignored.
pub fn read_report(json: &[u8]) -> Result<Report, ReadError> {
    #[derive(Deserialize)]
    struct Probe {
        schema: Option<String>,
    }
    let value: serde_json::Value = serde_json::from_slice(json).map_err(ReadError::NotJson)?;
    let schema = Probe::deserialize(&value).ok().and_then(|probe| probe.schema);
    match schema {
        None => Err(ReadError::NoSchema),
        Some(found) if found != SCHEMA => Err(ReadError::OtherSchema { found }),
        Some(_) => serde_json::from_value(value).map_err(ReadError::Malformed),
    }
}
