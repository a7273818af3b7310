//! memguard launcher (skeleton).
fn main() {}
