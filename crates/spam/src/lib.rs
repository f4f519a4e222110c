//! What a message's content says about it: a classifier and rules, with a reason for each point. Pure.
