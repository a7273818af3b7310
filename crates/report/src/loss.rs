//! Report: what the causes of lost events mean.
//! In: a cause as the segment names it. Out: a few words. A cause unknown here is shown by its name.

/// What happened, for a reader who does not know the segment's layout.
pub fn explanation(cause: &str) -> &str {
    EXPLANATIONS.iter().find(|(name, _)| *name == cause).map_or(cause, |(_, words)| words)
}

const EXPLANATIONS: &[(&str, &str)] = &[
    ("ring_full", "events came faster than they were read; the tables made up for them"),
    ("live_table_full", "sampled objects were not tracked: too many were live at once"),
    ("stack_table_full", "samples have no stack: too many different ones"),
    ("frame_arena_full", "stacks are known by number only: no room for their frames"),
    ("module_table_full", "libraries have no name: too many were loaded"),
    ("unwinder_busy", "samples have no stack: all unwinders were in use"),
    ("stack_incomplete", "stacks could not be followed to their end"),
    ("stack_truncated", "stacks were deeper than is kept; their outermost frames are missing"),
    ("free_missed", "objects were freed past the hooks"),
    ("reentered", "allocations inside a signal handler or inside MemGuard were not sampled"),
    ("descriptor_table_full", "descriptors have no stack: their numbers are too high"),
    (
        "object_table_full",
        "threads, children, timers, mappings or registrations were not tracked: too many at once",
    ),
    ("close_missed", "descriptors or other objects ended past the hooks"),
    (
        "close_disputed",
        "descriptors were closed by a child that shares memory; what was known of them is kept",
    ),
    (
        "operators_unseen",
        "program whose allocator has operators new and delete of its own, which pass unseen: put \
         libmemguard_operators.so into LD_PRELOAD",
    ),
    ("event_corrupt", "events or entries of tables were damaged; the tables were read anew"),
    ("sites_without_room", "places or their stacks were not followed: too many different ones"),
    ("event_abandoned", "events were cut off: a thread was stopped or killed while it wrote"),
];
