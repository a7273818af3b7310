//! Build script of `libmemguard_operators.so`: how it is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // Every symbol of libc is bound when the library is loaded, never in the middle of a hook.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,now");
    // It stays until the process ends: a hook may always be running somewhere.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    // Its own references are to its own functions, whatever the program defines under the same names.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-Bsymbolic");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libmemguard_operators.so");
}
