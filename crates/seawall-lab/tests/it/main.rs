//! The laboratory against real servers, and its judgement of a contender in which defects are planted.

mod scoreboard;
mod world;
