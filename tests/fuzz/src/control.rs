//! Fuzz, control: the bytes are a session's control page, as an interposer finds it at start.

use memguard_segment::Layout;
use memguard_segment::control::{Control, Refusal};

use super::seeds::words;

/// The target.
pub fn run(data: &[u8]) {
    let words = words(data);
    let Some(control) = Control::open(&words) else { return };
    if let Some(settings) = control.settings() {
        for capacities in [settings.first, settings.others] {
            let layout = Layout::new(capacities).expect("settings are valid or none");
            assert!(layout.bytes() > 0 && layout.bytes().is_multiple_of(4096));
        }
    }
    let taken = control.first_is_taken();
    assert_eq!(control.take_first(), !taken);
    assert!(control.first_is_taken() && !control.take_first());
    for (refusal, _) in Refusal::ALL {
        let before = control.refused(refusal);
        control.refuse(refusal);
        assert_eq!(control.refused(refusal), before.wrapping_add(1));
    }
}
