//! second_warmup: a translation service with two languages. The second is first asked for when a third of the run is over, and its
//! phrases are then loaded as the first ones were.
//!
//! Healthy: each of the two warm-ups decays; both have died away well before the end.

#[path = "service.rs"]
mod service;

const PHRASES: usize = 250;

struct Phrase {
    text: String,
    uses: u64,
}

fn load_phrase(language: usize, number: usize) -> Box<Phrase> {
    Box::new(Phrase { text: format!("phrase {number} in language {language}").repeat(12), uses: 0 })
}

fn main() {
    let mut service = service::Service::new(700.0);
    let mut tables: [Vec<Option<Box<Phrase>>>; 2] =
        [(0..PHRASES).map(|_| None).collect(), (0..PHRASES).map(|_| None).collect()];
    let mut length = 0;
    while service.next() {
        let language = usize::from(service.progress() > 0.33 && service.uniform() < 0.6);
        let popular = service.uniform();
        let number = (popular * popular * PHRASES as f64) as usize;
        let phrase = tables[language][number].get_or_insert_with(|| load_phrase(language, number));
        phrase.uses += 1;
        length += phrase.text.len();
        service.work();
    }
    assert!(length > 0);
    let held = tables.iter().flatten().flatten().filter(|phrase| phrase.uses > 0).count();
    service.end(0, held as u64);
}
