//! `libmemguard_operators.so`: stands before the C++ operators new and delete that an allocator (jemalloc, tcmalloc, mimalloc)
//! brings itself and that reach its memory without calling malloc. In: the program's calls. Out: the same calls, counted and
//! booked by libmemguard.so. Preloaded behind that library, only where such an allocator is part of the program.
//!
//! Operators of anyone else (libstdc++'s call malloc) are passed straight on, and their names are taken back before the
//! program starts. The list of exported names is `interposer/operators/exports.txt`.
#![cfg(target_arch = "x86_64")]
#![no_std]
#![allow(non_snake_case)] // the compiler's names

mod missing;

use memguard_annex::{Home, allocating, freeing, library};

allocating! {
    _Znwm: new, size "rdi", missing crate::missing::new;
    _Znam: new_array, size "rdi", missing crate::missing::new;
    _ZnwmRKSt9nothrow_t: new_nothrow, size "rdi", missing crate::missing::new_nothrow;
    _ZnamRKSt9nothrow_t: new_array_nothrow, size "rdi", missing crate::missing::new_nothrow;
    _ZnwmSt11align_val_t: new_aligned, size "rdi", missing crate::missing::new_aligned;
    _ZnamSt11align_val_t: new_array_aligned, size "rdi", missing crate::missing::new_aligned;
    _ZnwmSt11align_val_tRKSt9nothrow_t: new_aligned_nothrow, size "rdi", missing crate::missing::new_aligned_nothrow;
    _ZnamSt11align_val_tRKSt9nothrow_t: new_array_aligned_nothrow, size "rdi", missing crate::missing::new_aligned_nothrow;
}

freeing! {
    _ZdlPv: delete, missing libc::free;
    _ZdaPv: delete_array, missing libc::free;
    _ZdlPvm: delete_sized, missing libc::free;
    _ZdaPvm: delete_array_sized, missing libc::free;
    _ZdlPvRKSt9nothrow_t: delete_nothrow, missing libc::free;
    _ZdaPvRKSt9nothrow_t: delete_array_nothrow, missing libc::free;
    _ZdlPvSt11align_val_t: delete_aligned, missing libc::free;
    _ZdaPvSt11align_val_t: delete_array_aligned, missing libc::free;
    _ZdlPvmSt11align_val_t: delete_aligned_sized, missing libc::free;
    _ZdaPvmSt11align_val_t: delete_array_aligned_sized, missing libc::free;
    _ZdlPvSt11align_val_tRKSt9nothrow_t: delete_aligned_nothrow, missing libc::free;
    _ZdaPvSt11align_val_tRKSt9nothrow_t: delete_array_aligned_nothrow, missing libc::free;
}

library! {
    Home::Malloc,
    new new_array new_nothrow new_array_nothrow new_aligned new_array_aligned new_aligned_nothrow
    new_array_aligned_nothrow delete delete_array delete_sized delete_array_sized delete_nothrow delete_array_nothrow
    delete_aligned delete_array_aligned delete_aligned_sized delete_array_aligned_sized delete_aligned_nothrow
    delete_array_aligned_nothrow
}
