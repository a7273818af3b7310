//! Patterns: the files that are compiled in. In: `patterns/` at the top of the repository. Out: their names and texts.

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        /// Name and text of each file.
        pub const FILES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../patterns/", $name)))),*];
    };
}

files! {
    "compression.toml",
    "curl.toml",
    "databases.toml",
    "events.toml",
    "formats.toml",
    "glib.toml",
    "json.toml",
    "kernel.toml",
    "languages.toml",
    "libc.toml",
    "libxml2.toml",
    "openssl.toml",
    "sqlite.toml",
}
