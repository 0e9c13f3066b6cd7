//! The scenarios themselves: `src/scenarios/*.rs`, listed by the build script.

include!(concat!(env!("OUT_DIR"), "/scenarios.rs"));
