// What members of a group say to each other (thesis figure 3.1, and chapters 3.10, 6.2 and 9.6 for the rest).
//
// Positions are byte positions in the log, always an entry's beginning or end. Nothing here promises that a
// message arrives, or once, or in order: every one may be lost, repeated and late.
#pragma once

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "consensus/term_runs.hpp"

#include <string>
#include <variant>
#include <vector>

namespace holdfast::consensus {

// A node as a member: its name, and whose data directory it has. A node whose disk was wiped comes back under
// the same name with another incarnation, and is another member: it has forgotten whom it voted for and what
// it acknowledged (thesis 3.8: what must not be lost).
struct member {
    std::string name;
    std::string incarnation;
    friend bool operator==(const member&, const member&) = default;
    friend auto operator<=>(const member&, const member&) = default;
};

// RequestVote (thesis 3.4). A pre-vote (9.6) asks whether it would be worth while; nothing changes by it.
struct vote_request {
    bool is_pre_vote = false;
    bool is_transfer = false; // the leader asked for it (3.10): no lease protects it
    log_position log_end;
    term_number last_term;
    std::string voter_incarnation; // whom the candidate's configuration holds for the receiver
    friend bool operator==(const vote_request&, const vote_request&) = default;
};

struct vote_answer {
    bool is_pre_vote = false;
    bool is_granted = false;
    friend bool operator==(const vote_answer&, const vote_answer&) = default;
};

// AppendEntries (thesis 3.5); without entries it is a heartbeat.
struct append_request {
    log_position previous_end;  // the entries begin here
    term_number previous_term;  // of the entry that ends there
    log_position commit;        // the leader's
    std::uint64_t sequence = 0; // of the leader's requests to this member in this term
    // Each whole (header and body, no padding), in log order. Sent: shared with the leader's log. Received:
    // the receiver's own bytes, nobody else's.
    std::vector<shared_bytes> entries;
};

struct append_answer {
    bool is_matched = false;
    log_position flushed;       // matched: this much of the leader's log is on the member's disk
    log_position log_end;       // of the member
    log_position commit;        // of the member
    std::uint64_t sequence = 0; // of the request answered, or of the last one before a flush
    std::vector<term_run> runs; // not matched: the member's, beyond its commit
    friend bool operator==(const append_answer&, const append_answer&) = default;
};

// Leadership transfer (thesis 3.10): stand for election at once.
struct timeout_now {
    friend bool operator==(const timeout_now&, const timeout_now&) = default;
};

// InstallSnapshot (thesis 5.1), as far as this log needs it: the leader no longer has what the member lacks.
// The member begins its log anew at `first`. What came before is in the snapshot that the log itself holds
// behind that place (broker/snapshot.hpp), so the entries are all that has to be sent.
struct begin_request {
    log_position first; // of the leader's log
    friend bool operator==(const begin_request&, const begin_request&) = default;
};

using message_body =
    std::variant<vote_request, vote_answer, append_request, append_answer, timeout_now, begin_request>;

struct message {
    member from;
    std::string to;   // a name
    term_number term; // the sender's; of a pre-vote and its granting: the one it would be
    message_body body;
};

// Of one append_answer's runs: more would be a member that lost dozens of elections in a row behind its
// commit.
inline constexpr std::size_t most_runs = 64;

// All but the entries, which travel beside it (docs/replication.md shows the bytes).
[[nodiscard]] std::string encode_head(const message& what);
// `body`: the entries as encode_head counted them, one behind the other. errc::malformed when it is not one.
result<message> decode_message(std::string_view head, const shared_bytes& body);

} // namespace holdfast::consensus
