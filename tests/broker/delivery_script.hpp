// What replica scripts say of transactions, delays and locks: from words to commands, and from changes to
// lines.
//
//     half:GROUP[@TOPIC/QUEUE]       a half message; transactions are named by the position of their half
//     commit:POSITION, rollback:POSITION    with `!` behind: in the name of another producer group
//     asked:POSITION, give-up:POSITION      a check was sent; it was sent often enough
//     delayed:MS[@TOPIC/QUEUE]       a message that is due so many ms after its append
//     deliver:POSITION,POSITION...   those delayed messages, by the table as the last line knows it
//     cancel:POSITION                that one
//     lock:QUEUE/OWNER/EPOCH         of the group G in topic 1; no owner: it was given up
#pragma once

#include "broker/entry_draft.hpp"
#include "broker/state.hpp"

#include <map>
#include <ostream>
#include <string>

namespace holdfast::broker::testing {

class delivery_script {
  public:
    // False: `what` is about something else.
    bool fill(entry_draft& draft, const std::string& what) const;
    void print(const state_changes& changes, std::ostream& out);

  private:
    void decide(entry_draft& draft, decision_kind kind, std::string words) const;

    std::map<log_position, half_message> halves_;
    std::map<log_position, delayed_message> delayed_;
    delay_progress delay_;
};

} // namespace holdfast::broker::testing
