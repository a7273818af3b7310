//! Hazards: programs that are hard on a preloaded library do under watch what they do alone.
//!
//! * `transparency`: output and status are the same in every mode, with both builds of the library
//! * `stack_use`: what hooks take of the program's stack
//! * `recorded`: and what they did was recorded, however they ended

mod recorded;
mod stack_use;
mod transparency;
