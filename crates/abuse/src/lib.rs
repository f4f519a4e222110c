//! What is known of a client that connects from outside, and what becomes of it: limits, bans, lists, greylisting. Pure.
