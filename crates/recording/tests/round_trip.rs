//! Recording, there and back: what a model took in comes out the same, whatever happens to the file.
//! Method: made readings; files cut, filled, changed and foreign.

use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use memguard_model::{
    Class, Condition, Holding, HoldingTotals, LIFETIME_BUCKETS, LiveSample, Origin, ProcessModel, Reading,
    ResourceReading, SiteId, StackId, StackTotals,
};
use memguard_recording::{End, Header, Reader, RecordingError, Replay, VERSION, Writer};
use std::io::{Read, Write};
use std::sync::Arc;

const SECOND: u64 = 1_000_000_000;

fn header() -> Header {
    Header {
        memguard_recording: VERSION,
        pid: 7,
        exe: "/usr/bin/server".to_owned(),
        started_at: 1.5,
        aggressive: true,
        sample_bytes: 0,
        handles_max_age_s: 2.0,
        patterns: vec!["leaks".to_owned(), "handles".to_owned()],
    }
}

fn site_of(stack: StackId) -> SiteId {
    SiteId(stack.0 + 100)
}

fn sample(number: u64) -> LiveSample {
    LiveSample {
        // Addresses are used again by others.
        address: 16 * (number % 500),
        size_bytes: 64,
        born_ns: number * SECOND / 50,
        inclusion_probability: f64::from(0.3_f32),
        stack: StackId(1 + (number % 3) as u32),
    }
}

/// A tenth of a second: five objects more, of which every third goes after a second.
fn reading(look: u64) -> Reading {
    let at_ns = look * SECOND / 10;
    let born = |number: &u64| number * SECOND / 50 <= at_ns;
    let lives = |number: &u64| !number.is_multiple_of(3) || (number + 50) * SECOND / 50 > at_ns;
    let totals = (1..=3).map(|stack| StackTotals {
        births: look * 2,
        deaths: look / 3,
        born_count: look as f64 / 0.3,
        born_bytes: look as f64 * 1.1e-3,
        lifetimes: std::array::from_fn(|bucket| u32::from(bucket == LIFETIME_BUCKETS - 1) * look as u32),
        ..StackTotals::none(StackId(stack))
    });
    Reading {
        at_ns,
        totals: totals.collect(),
        live: (!look.is_multiple_of(7)).then(|| (0..400).filter(born).filter(lives).map(sample).collect()),
        rss_bytes: look.is_multiple_of(2).then_some(look << 20),
    }
}

fn resources(look: u64) -> ResourceReading {
    let at_ns = look * SECOND / 10;
    let condition = |id: u64| match id % 7 {
        0 => Condition::Ordinary,
        1 => Condition::Listening,
        2 => Condition::CloseWait { since_ns: id },
        3 => Condition::Unread { since_ns: id, ticks: look, interval_ns: 5 },
        4 => Condition::Ended { since_ns: id },
        5 => Condition::Detached,
        _ => Condition::Orphaned { since_ns: id },
    };
    let holding = |id: u64| Holding {
        id,
        class: if id.is_multiple_of(2) { Class::File } else { Class::Accepted },
        origin: [Origin::Hooked, Origin::Inherited, Origin::Unhooked][(id % 3) as usize],
        stack: StackId(9),
        born_ns: id * SECOND / 10,
        size_bytes: id,
        condition: condition(id),
        used_ns: id.is_multiple_of(5).then_some(at_ns),
        name: Arc::from(format!("/data/\"{id}\"\n")),
    };
    ResourceReading {
        at_ns,
        totals: vec![HoldingTotals {
            class: Class::File,
            stack: StackId(9),
            births: look,
            deaths: look / 2,
            lifetimes: [1; LIFETIME_BUCKETS],
        }],
        holdings: (!look.is_multiple_of(5)).then(|| (look / 2..=look).map(holding).collect()),
        descriptors: look,
        descriptors_max: Some(1024),
        threads: 3,
        modules: look.is_multiple_of(4).then_some(12),
    }
}

/// Writes so many looks, and gives the model that took them in.
fn record(looks: u64, bytes_max: u64) -> (Vec<u8>, ProcessModel) {
    let mut writer = Writer::begin(Vec::new(), &header(), bytes_max).expect("begun");
    let mut model = ProcessModel::new();
    for look in 1..=looks {
        let at_ns = look * SECOND / 10;
        model.absorb_sample_interval(at_ns, 1024);
        writer.sample_interval(at_ns, 1024);
        model.absorb_cpu(at_ns / 3);
        writer.cpu(at_ns / 3);
        model.absorb(&reading(look), &site_of);
        for stack in writer.heap(&reading(look), &site_of).expect("written") {
            writer.place(site_of(stack), &format!("f{}", stack.0)).expect("written");
        }
        model.absorb_resources(&resources(look), &site_of);
        writer.resources(&resources(look), &site_of).expect("written");
        writer.look().expect("written");
    }
    (writer.end().expect("ended"), model)
}

fn read_all(file: &[u8]) -> Reader<&[u8]> {
    let mut reader = Reader::open(file).expect("opens");
    while reader.advance().expect("reads") {}
    reader
}

/// Goal: the model is the same, to the last bit. Method: 80 looks, compared as a whole.
#[test]
fn the_model_comes_back() {
    let (file, model) = record(80, u64::MAX);
    let reader = read_all(&file);
    assert_eq!(reader.model(), &model);
    assert_eq!((reader.end(), reader.header()), (Some(End::Process), &header()));
    assert_eq!((reader.place(SiteId(102)), reader.place(SiteId(5))), ("f2".to_owned(), "place 5".to_owned()));
}

/// Goal: what a killed collector leaves is replayed as far as it goes. Method: the file cut at every 97th byte.
#[test]
fn a_cut_file_is_read_as_far_as_it_goes() {
    let (file, _) = record(40, u64::MAX);
    let mut looks = Vec::new();
    // The end of the process is in the last bytes.
    for length in (0..file.len() - 64).step_by(97) {
        let Ok(mut reader) = Reader::open(&file[..length]) else { continue };
        while reader.advance().expect("no damage") {}
        assert_eq!(reader.end(), Some(End::CutOff));
        looks.push(reader.model().looks());
    }
    assert!(looks.is_sorted() && *looks.last().expect("some") >= 30, "{looks:?}");
}

/// Goal: a recording has a bound, and says that it was reached. Method: a bound that 80 looks exceed.
#[test]
fn a_full_recording_ends() {
    let (whole, _) = record(80, u64::MAX);
    let bytes_max = whole.len() as u64 / 2;
    let (file, _) = record(80, bytes_max);
    assert!((file.len() as u64) < bytes_max + 8192, "{} of {bytes_max}", file.len());
    let reader = read_all(&file);
    assert_eq!(reader.end(), Some(End::Full));
    assert!((10..80).contains(&reader.model().looks()));
}

/// Goal: foreign and damaged files are told by one line, with the line number. Method: no gzip, other text, another version,
/// a changed line, a row with a class that does not exist, changed bytes.
#[test]
fn nonsense_is_refused() {
    let open = |file: &[u8]| Reader::open(file).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(open(b"").starts_with("is no recording"));
    assert!(open(b"hello, hello, hello").starts_with("is no recording"));
    assert!(open(&pack("{\"a\":1}\n")).starts_with("is no recording"));
    let (file, _) = record(10, u64::MAX);
    let text = unpack(&file);
    let other = text.replacen("\"memguard_recording\":1", "\"memguard_recording\":2", 1);
    assert_eq!(open(&pack(&other)), "is a recording of version 2; this memguard replays version 1");
    let damage = |text: &str| {
        let file = pack(text);
        let mut replay = Replay::open(&*file).expect("opens");
        let error = loop {
            match replay.look() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("not noticed"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, RecordingError::Damaged { line: 2.., .. }), "{error}");
        assert!(!error.to_string().contains('\n'));
    };
    damage(&text.replacen("\"step\"", "\"stop\"", 3));
    damage(&text.replacen("\"come\":[[", "\"come\":[[1,200,0,1,1,1,\"ordinary\",null,\"\"],[", 1));
    for at in (60..file.len()).step_by(41) {
        let mut changed = file.clone();
        changed[at] ^= 0x55;
        if let Ok(mut reader) = Reader::open(&*changed) {
            // It fails, or what it gives is bounded by the file: it does not hang and does not panic.
            while reader.advance().is_ok_and(|more| more) {}
        }
    }
}

fn unpack(file: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).expect("gzip");
    text
}

fn pack(text: &str) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(text.as_bytes()).expect("written");
    out.finish().expect("written")
}
