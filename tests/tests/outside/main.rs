//! Outside: programs in which no hook can be, and processes that run already, are watched by what the kernel tells of them.
//!
//! * `run`: programs that are recognised, and what is found in them
//! * `attach`: a running process
//! * `doctor`: what is told before anything is started
//! * `strangers`: other tools in the program or in its children are left alone

mod attach;
mod doctor;
mod run;
mod strangers;
