//! Launcher, sessions: making, finding, listing and removing them.
//! In: a [`Place`]; an id, a beginning of one, a name or `latest`. Out: [`Session`]s and [`Entry`]s.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::liveness::Identity;
use super::record::{self, Exit, Record, State};
use super::{Place, SessionError, id};
use crate::config::Settings;
use crate::spawn::ProgramExit;

/// The sessions of one folder.
#[derive(Debug)]
pub struct Store {
    place: Place,
}

/// One session that can be used.
#[derive(Debug)]
pub struct Session {
    dir: PathBuf,
    record: Record,
}

/// One session as `list` shows it.
#[derive(Debug)]
pub struct Entry {
    /// Its id, the directory's name.
    pub id: String,
    /// Its record, or what is wrong with it.
    pub record: Result<Record, String>,
}

impl Store {
    /// The sessions of this folder, which need not exist.
    pub fn new(place: Place) -> Self {
        Self { place }
    }

    /// Begins a session: its directory, for the user alone, and its record.
    ///
    /// # Errors
    /// If the folder is unsafe or cannot be written to; nothing is left behind then.
    pub fn create(
        &self,
        command: &[OsString],
        name: Option<&str>,
        settings: &Settings,
    ) -> Result<Session, SessionError> {
        self.place.prepare()?;
        let started_at = SystemTime::now();
        let program = command.first().cloned().unwrap_or_default();
        let dir = self.make_directory(|| id::new(started_at, &program))?;
        let id = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let cwd = std::env::current_dir().unwrap_or_default();
        let record = Record {
            schema: record::SCHEMA.to_owned(),
            id,
            name: name.map(str::to_owned),
            command: command.iter().map(|part| part.to_string_lossy().into_owned()).collect(),
            cwd: cwd.to_string_lossy().into_owned(),
            host: record::host(),
            launcher: Identity::own(),
            attached: None,
            started_at: unix_seconds(started_at),
            ended_at: None,
            exit: None,
            memguard_version: env!("CARGO_PKG_VERSION").to_owned(),
            settings: Some(settings.clone()),
            state: State::Running,
        };
        if let Err(source) = record.write(&dir) {
            let _ = fs::remove_dir_all(&dir);
            return Err(SessionError::Unwritable { path: dir, source });
        }
        Ok(Session { dir, record })
    }

    /// Every session, newest first; damaged ones are among them.
    ///
    /// # Errors
    /// If the folder is there but cannot be read.
    pub fn list(&self) -> Result<Vec<Entry>, SessionError> {
        let path = self.place.path();
        let unreadable = |source| SessionError::Unreadable { path: path.to_owned(), source };
        let folder = match fs::read_dir(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            folder => folder.map_err(unreadable)?,
        };
        let mut entries = Vec::new();
        for item in folder {
            let item = item.map_err(unreadable)?;
            let name = item.file_name().to_string_lossy().into_owned();
            if id::is_id(&name) && item.file_type().is_ok_and(|kind| kind.is_dir()) {
                entries.push(Entry { record: Record::read(&item.path()), id: name });
            }
        }
        entries.sort_by(|a, b| b.order().partial_cmp(&a.order()).unwrap_or(std::cmp::Ordering::Equal));
        Ok(entries)
    }

    /// The session meant by `latest`, an id, a name (its newest session), or the beginning of one id.
    ///
    /// # Errors
    /// If there is none, several, or a damaged one.
    pub fn open(&self, wanted: &str) -> Result<Session, SessionError> {
        let path = self.place.path().to_owned();
        let mut entries = self.list()?;
        if entries.is_empty() {
            return Err(SessionError::None { path });
        }
        let index = match wanted {
            // A damaged newest session is an error, not a reason to show an older one unasked.
            "latest" => Some(0),
            _ => entries
                .iter()
                .position(|entry| entry.id == wanted)
                .or_else(|| entries.iter().position(|entry| entry.name() == Some(wanted))),
        };
        let index = match index {
            Some(index) => index,
            None => only_beginning(&entries, wanted, path)?,
        };
        let Entry { id, record } = entries.swap_remove(index);
        let record = record.map_err(|why| SessionError::Damaged { id: id.clone(), why })?;
        Ok(Session { dir: self.place.path().join(id), record })
    }

    /// Removes sessions that have ended, except the newest `keep` and those younger than `age_min`, and gives
    /// the ids of what was removed. Sessions that may still run are never touched; damaged ones count as ended
    /// once they are old enough for `age_min` by their directory's time.
    ///
    /// # Errors
    /// On the first session that cannot be removed.
    pub fn clean(&self, keep: usize, age_min: Duration) -> Result<Vec<String>, SessionError> {
        let mut removed = Vec::new();
        for entry in self.list()?.into_iter().skip(keep) {
            let path = self.place.path().join(&entry.id);
            if entry.record.as_ref().is_ok_and(Record::is_live) || age(&entry, &path) < age_min {
                continue;
            }
            // Renamed first: a removal that is interrupted leaves no half session behind.
            let doomed = self.place.path().join(format!(".removed-{}", entry.id));
            fs::rename(&path, &doomed)
                .and_then(|()| fs::remove_dir_all(&doomed))
                .map_err(|source| SessionError::Unwritable { path, source })?;
            removed.push(entry.id);
        }
        Ok(removed)
    }

    fn make_directory(&self, new_id: impl Fn() -> String) -> Result<PathBuf, SessionError> {
        const ATTEMPTS: usize = 16;
        let mut attempt = 1;
        loop {
            let path = self.place.path().join(new_id());
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(path),
                Err(error) if error.kind() == ErrorKind::AlreadyExists && attempt < ATTEMPTS => attempt += 1,
                Err(source) => return Err(SessionError::Unwritable { path, source }),
            }
        }
    }
}

fn only_beginning(entries: &[Entry], wanted: &str, path: PathBuf) -> Result<usize, SessionError> {
    let mut fitting = (0..entries.len()).filter(|index| entries[*index].id.starts_with(wanted));
    let wanted = wanted.to_owned();
    match (fitting.next(), fitting.count()) {
        (Some(index), 0) => Ok(index),
        (Some(_), more) => Err(SessionError::Ambiguous { wanted, count: more + 1 }),
        (None, _) => Err(SessionError::Unknown { wanted, path }),
    }
}

fn age(entry: &Entry, path: &Path) -> Duration {
    let began = match &entry.record {
        Ok(record) => Duration::try_from_secs_f64(record.started_at)
            .ok()
            .and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since)),
        Err(_) => fs::symlink_metadata(path).and_then(|metadata| metadata.modified()).ok(),
    };
    began.and_then(|began| began.elapsed().ok()).unwrap_or_default()
}

impl Entry {
    /// The name that `--name` gave.
    pub fn name(&self) -> Option<&str> {
        self.record.as_ref().ok()?.name.as_deref()
    }

    /// Sorts by start: the second is in the id, the record tells more.
    fn order(&self) -> (&str, f64) {
        let second = self.id.get(..15).unwrap_or_default();
        (second, self.record.as_ref().map_or(0.0, |record| record.started_at))
    }
}

impl Session {
    /// The session in this directory.
    ///
    /// # Errors
    /// If its record cannot be read.
    pub fn open(dir: &Path) -> Result<Self, SessionError> {
        let id = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let record = Record::read(dir).map_err(|why| SessionError::Damaged { id, why })?;
        Ok(Self { dir: dir.to_owned(), record })
    }

    /// The session's directory, absolute.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What is known about it.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Notes that the session watches a process that it has not started.
    ///
    /// # Errors
    /// If the record cannot be replaced.
    pub fn attach_to(&mut self, process: Identity) -> Result<(), SessionError> {
        self.record.attached = Some(process);
        self.write()
    }

    /// From now on the calling process watches it.
    ///
    /// # Errors
    /// If the record cannot be replaced; the old one stays whole.
    pub fn taken_over(&mut self) -> Result<(), SessionError> {
        self.record.launcher = Identity::own();
        self.write()
    }

    /// Notes how the program ended that the session was begun with.
    pub fn program_ended(&mut self, exit: ProgramExit) {
        let (code, signal) = exit.code_and_signal();
        self.record.exit = Some(Exit { code, signal });
    }

    /// Marks the session as ended now; [`Session::write`] tells others.
    pub fn end(&mut self) {
        self.record.ended_at = Some(unix_seconds(SystemTime::now()));
        self.record.state = State::Ended;
    }

    /// Writes down what is known.
    ///
    /// # Errors
    /// If the record cannot be replaced; the old one stays whole.
    pub fn write(&self) -> Result<(), SessionError> {
        let written = self.record.write(&self.dir);
        written.map_err(|source| SessionError::Unwritable { path: self.dir.clone(), source })
    }

    /// Removes a session whose program never started.
    pub fn discard(self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn unix_seconds(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = Place::find(Some(&folder.path().join("state"))).expect("absolute");
        (folder, Store::new(place))
    }

    fn ended(store: &Store, name: Option<&str>) -> String {
        let command = ["/bin/prog".into(), "-x".into()];
        let mut session = store.create(&command, name, &Settings::default()).expect("created");
        session.program_ended(ProgramExit::Code(3));
        session.end();
        session.write().expect("written");
        session.record.id
    }

    #[test]
    fn sessions_are_found_again_by_every_handle() {
        let (_folder, store) = store();
        assert!(matches!(store.open("latest"), Err(SessionError::None { .. })));
        let first = ended(&store, Some("nightly"));
        let second = ended(&store, Some("nightly"));
        let third = ended(&store, None);
        let listed: Vec<_> = store.list().expect("read").into_iter().map(|entry| entry.id).collect();
        assert_eq!(listed, [third.clone(), second.clone(), first.clone()]);
        let id_of = |wanted: &str| store.open(wanted).expect(wanted).record.id;
        assert_eq!(id_of("latest"), third);
        assert_eq!(id_of(&first), first);
        assert_eq!(id_of("nightly"), second);
        assert!(matches!(store.open("2"), Err(SessionError::Ambiguous { count: 3, .. })));
        assert!(matches!(store.open("nothing"), Err(SessionError::Unknown { .. })));
        let session = store.open(&third).expect("there");
        assert_eq!(session.record().exit, Some(Exit { code: Some(3), signal: None }));
        assert_eq!(session.record().command, ["/bin/prog", "-x"]);
        assert!(!session.record().is_live());
    }

    #[test]
    fn damaged_sessions_are_listed_and_harm_no_other() {
        let (_folder, store) = store();
        let good = ended(&store, None);
        let bad = ended(&store, None);
        fs::write(store.place.path().join(&bad).join("session.json"), "{\"id\":").expect("written");
        fs::create_dir(store.place.path().join("unrelated")).expect("created");
        let entries = store.list().expect("read");
        assert_eq!(entries.len(), 2);
        assert!(entries.iter().find(|entry| entry.id == bad).expect("listed").record.is_err());
        assert!(store.open(&good).is_ok());
        let error = store.open(&bad).expect_err("damaged").to_string();
        assert!(error.contains(&bad) && error.contains("damaged"), "{error}");
    }

    #[test]
    fn cleaning_spares_what_runs_and_what_is_kept() {
        let (_folder, store) = store();
        let old = ended(&store, None);
        let live = store.create(&["prog".into()], None, &Settings::default()).expect("created");
        let newest = ended(&store, None);
        assert_eq!(store.clean(0, Duration::from_hours(1)).expect("cleaned"), Vec::<String>::new());
        assert_eq!(store.clean(1, Duration::ZERO).expect("cleaned"), [old]);
        let left: Vec<_> = store.list().expect("read").into_iter().map(|entry| entry.id).collect();
        assert_eq!(left, [newest, live.record.id.clone()]);
    }
}
