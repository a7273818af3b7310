//! Launcher, doctor: the interposer's file.

use super::super::Patient;
use super::super::answer::Answer;
use crate::program::Image;
use crate::spawn::find_library;

/// Whether it is there and can be loaded here.
pub fn found(_: &Patient) -> Option<Answer> {
    let path = match find_library() {
        Ok(path) => path,
        Err(error) => {
            let remedy = "install libmemguard.so there, or set MEMGUARD_LIB to its path ('memguard attach' works without)";
            return Some(Answer::none(error.to_string(), remedy));
        }
    };
    Some(match Image::read(&path) {
        Some(Image { foreign: None, .. }) => Answer::ok(path.display().to_string()),
        Some(Image { foreign: Some(words), .. }) => {
            Answer::none(format!("{} is {words}", path.display()), "install the build for this machine")
        }
        None => Answer::none(format!("{} is no library", path.display()), "install it again"),
    })
}
