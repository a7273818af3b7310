//! Launcher, program: what a command would execute in the end, and whether hooks work in it. In: the command, the environment.
//! Out: a [`Candidate`] with its [`Obstacle`]s, and the [`Way`] to watch it.

mod environment;
mod image;
mod lookup;
mod obstacle;
mod preloads;
mod privileges;
mod symbols;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::PathBuf;

pub use environment::Environment;
pub use image::{Image, Reach};
pub use obstacle::{Obstacle, Way};

/// A command, recognised.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// What the command is called, and what runs it where that is another file.
    pub name: String,
    /// The file that is executed in the end: a script's interpreter, not the script.
    pub path: PathBuf,
    /// What that file is; none if it may be executed and not read.
    pub image: Option<Image>,
    /// What stands in the way of hooks, the gravest first.
    pub obstacles: Vec<Obstacle>,
}

impl Candidate {
    /// Recognises a command; `None` if nothing of that name can be executed: its start will tell why.
    pub fn of(command: &[OsString], environment: &Environment) -> Option<Self> {
        let path = lookup::executed(command, environment)?;
        let image = Image::read(&path);
        let mut obstacles: Vec<Obstacle> = preloads::profiler(environment).into_iter().collect();
        obstacles.extend(obstacle::of_command(command, &path, environment));
        obstacles.extend(privileges::gained(&path).map(Obstacle::Privileged));
        obstacles.extend(image.iter().flat_map(obstacle::of_image));
        obstacles.sort_by_key(Obstacle::way);
        Some(Self { name: lookup::called(command, &path), path, image, obstacles })
    }

    /// How it can be watched.
    pub fn way(&self) -> Way {
        self.obstacles.first().map_or(Way::Hooks, Obstacle::way)
    }

    /// One line on why it cannot be watched in full, and what to do; nothing if it can.
    pub fn notice(&self) -> Option<String> {
        self.obstacles.first().map(|obstacle| obstacle.notice(&self.name))
    }
}
