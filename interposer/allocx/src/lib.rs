//! `libmemguard_allocx.so`: stands before jemalloc's own functions `mallocx`, `rallocx`, `xallocx`, `dallocx` and `sdallocx`. In:
//! the program's calls. Out: the same calls, counted and booked by libmemguard.so. Preloaded behind that library, only where
//! jemalloc is part of the program: programs detect it by these names.
//!
//! `sallocx` and `nallocx` allocate nothing. The list of exported names is `interposer/allocx/exports.txt`.
#![cfg(target_arch = "x86_64")]
#![no_std]

mod missing;
mod resize;

use memguard_annex::{Home, allocating, freeing, library, resizing};

allocating! {
    mallocx: mallocx_door, size "rdi", missing crate::missing::mallocx;
}

resizing! {
    rallocx: rallocx_door, slow crate::resize::rallocx, sp "rcx", fp "r8", missing crate::missing::rallocx;
    xallocx: xallocx_door, slow crate::resize::xallocx, sp "r8", fp "r9", missing crate::missing::xallocx;
}

freeing! {
    dallocx: dallocx_door, missing crate::missing::dallocx;
    sdallocx: sdallocx_door, missing crate::missing::dallocx;
}

library! { Home::Any, mallocx_door rallocx_door xallocx_door dallocx_door sdallocx_door }
