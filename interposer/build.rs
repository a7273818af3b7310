//! Build script of libmemguard.so: how it is linked.

use std::{env, fs, path::Path};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // Every symbol of libc is bound when the library is loaded, never in the middle of a hook.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,now");
    // It stays until the process ends: a hook may always be running somewhere.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    // The C compiler's own start and end have nothing to do here, and would cost each process two pages and four symbols.
    println!("cargo:rustc-cdylib-link-arg=-nostartfiles");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libmemguard.so");
    // Rust's std, which only the portable build links, asks for libgcc_s; a linker script of that name, found
    // first, answers with the static library, so that the program never gets another shared one from us.
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    let script = Path::new(&out).join("libgcc_s.so");
    fs::write(script, "INPUT(-lgcc_eh -lgcc)\n").expect("OUT_DIR is writable");
    println!("cargo:rustc-link-search=native={out}");
}
