//! UIDBATCHES (draft-ietf-mailmaint-imap-uidbatches): where a client may cut the mailbox, without its sequence numbers.

use imap_wire::Tag;
use imap_wire::response::{self, Code};

use crate::engine::batches::batches;
use crate::fault::{Answer, Fault};
use crate::limits::UID_BATCH_MIN;
use crate::session::Session;

impl Session {
    pub(crate) fn uid_batches(&mut self, tag: &Tag, size: u32, wanted: Option<(u32, u32)>) -> Result<Answer, Fault> {
        if size < UID_BATCH_MIN {
            return Ok(Answer::no(Code::TooSmall, format!("A batch has {UID_BATCH_MIN} messages at least")));
        }
        let map = self.selected()?.view.map().clone();
        let all = batches(&map, size, wanted.unwrap_or((1, u32::MAX)));
        response::uid_batches(self.connection.out(), tag, all);
        Ok(Answer::ok("Parted"))
    }
}
