//! Sessions from outside, one file for each subject.
//!
//! They are one program: each program has all of the server's futures compiled anew, which takes minutes.

mod support;

mod appends;
mod bounds;
mod changes;
mod door;
mod filters;
mod folders;
mod many_sessions;
mod model;
mod news;
mod progress;
mod rights;
mod scram;
mod searches;
mod sent_dates;
mod sessions;
mod shared;
mod sound_mime;
mod transcripts;
mod updates;
