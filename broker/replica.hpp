// The heart: one replica of a broker group's log, as a plain state machine.
//
// step(event) -> effects. It owns the tail of the log (where the next entry goes, the checksum chain), the
// watermarks
//     appended >= flushed, committed >= applied        (byte positions)
// consensus::raft, and the state that applying produces. It knows no clock (time comes in with events), no
// thread, no file, no network and no actor: in production the commit_log actor drives it, in tests a script
// or a simulator does.
//
// What an effect means for durability: a batch in `applied` is committed, that is flushed on a majority, and
// visible to consumers once the owner has carried out `changes`. A batch in `rejected` is not in the log and
// never will be. A batch that was appended when the replica is fenced or deposed is in neither: its outcome
// is unknown and must not be answered OK; the owner answers it as failed or closes the connection.
//
// Group commit (no timer): while flushes are under way the batches that come gather; the end of one starts
// the next flush with all of them. Two may be under way (docs/decisions/0005): they end in any order, and
// count only once everything before them is flushed. So a crash can leave a hole, and what lies behind it is
// nobody's. Followers get entries when the own flusher does, so the flushes of all run at the same time
// (thesis 10.2.1).
//
// A leader applies what is committed. A follower applies what is committed and flushed here, so that its
// derived store is never ahead of its log.
#pragma once

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "broker/entry_draft.hpp"
#include "broker/log_tail.hpp"
#include "broker/state.hpp"
#include "consensus/raft.hpp"
#include "storage/entry.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace holdfast::broker {

// The owner's own number for a batch, given back with its outcome.
using batch_ticket = strong<struct batch_ticket_tag, std::uint64_t>;

// The owner's own number for a question, given back with its answer.
using standing_ticket = strong<struct standing_ticket_tag, std::uint64_t>;

struct append_batch {
    entry_draft draft;
    batch_ticket ticket;
};

// --- events
// -------------------------------------------------------------------------------------------------------

using consensus::steady_ms;

struct started {
    steady_ms now{0};
};
// Often: at least twice in a heartbeat interval. Not needed in a group of one.
struct ticked {
    steady_ms now;
};
// From another node of the group. The bytes of its entries belong to this replica alone from now on: it
// writes its flush marks into them.
struct message_received {
    consensus::message what;
    steady_ms now;
};
// A node of the group was reached, for the first time or again.
struct peer_found {
    consensus::member who;
    bool has_empty_log = false;
    steady_ms now;
};
struct peer_lost {
    std::string name;
    steady_ms now;
};
struct batches_received {
    std::vector<append_batch> batches;
    timestamp_ms now;
};
// Does this node lead now? Whoever is to be told what is *not* there (no offset of a group, no message behind
// this one) must not be told by a leader that was replaced without knowing it (read index, thesis 6.4).
struct standing_asked {
    standing_ticket ticket;
    steady_ms now;
};
// What effects::reads asked for: whole entries, one behind the other, fillers included. None: they could not
// be read; that is asked again later.
struct entries_read {
    std::string to;
    log_position first;
    log_position last; // where the entry behind them begins
    std::vector<shared_bytes> entries;
};
// A flusher has carried out the flush request that ends at `until`. `durable` is what a power cut would leave
// of the log up to there; with ASYNC_FLUSH it lags behind `until`, otherwise it equals it. A request before
// it may still be under way: that one's end is told by its own event. With ASYNC_FLUSH also said of no
// request, when a late flush has made `until` durable.
struct entries_flushed {
    log_position until;
    log_position durable;
};
// The effect `truncate` is carried out.
struct log_truncated {
    log_position at;
};
struct flush_failed {
    error reason;
};
// Nothing came for a while.
struct idled {
    timestamp_ms now;
};
// This node's disk has no room for more of the log than what ends here; nothing: as much as there is, which
// holds until something else is said. A follower takes no entry beyond it, and is a follower all the same: it
// votes, and is heard, and does not count for what it has not flushed.
struct room_changed {
    std::optional<log_position> until;
};
// This follower shall lead, if it has all that this node has.
struct lead_given {
    std::string to;
};
// No more appends; what was appended is still flushed and answered, and then another node leads.
struct stopping {};

using event = std::variant<started, ticked, message_received, peer_found, peer_lost, batches_received,
                           standing_asked, entries_read, entries_flushed, log_truncated, flush_failed, idled,
                           room_changed, lead_given, stopping>;

// --- effects
// ------------------------------------------------------------------------------------------------------

struct flush_request {
    std::vector<shared_bytes> entries; // sealed, in log order, fillers included
    log_position first;                // of the first entry
    log_position until;                // behind the last one
    unsigned lane = 0;                 // below flushes_at_once; no other request under way has it
};

struct applied_batch {
    batch_ticket ticket;
    log_position position;             // of its entry
    std::vector<queue_offset> offsets; // one a message, in order; -1: its topic is gone
};

struct rejected_batch {
    batch_ticket ticket;
    error reason;
};

struct standing_answer {
    standing_ticket ticket;
    // It led at some time since it was asked, and all that was committed before then is applied.
    bool is_leading = false;
};

struct effects {
    // First of all, and durably; when it fails, say flush_failed and carry out nothing else of this.
    std::optional<consensus::hard_vote> persist;
    std::optional<flush_request> flush;
    // Cut the log here, durably (storage::log_store::truncate). No flush is under way, and none is asked for
    // before log_truncated.
    std::optional<log_position> truncate;
    std::vector<consensus::message> messages; // to other nodes; may be lost
    std::vector<consensus::entries_wanted> reads;
    std::vector<applied_batch> applied;
    std::vector<rejected_batch> rejected;
    std::vector<standing_answer> standings; // each question gets one
    state_changes changes;
    std::optional<error> fenced; // said once: nothing will ever be appended or answered OK again
    bool was_deposed = false;    // what was appended here and is not applied: nobody knows
    // This replica ends, and a new one starts, as another member, with an empty log that begins here
    // (storage/log_beginning.hpp).
    std::optional<log_position> begin_at;
    // The log holds all that a state is made of: this replica ends, and a start makes the state.
    bool is_seeded = false;
};

// --- the replica
// --------------------------------------------------------------------------------------------------

struct replica_settings {
    consensus::raft_settings raft;
    std::uint64_t max_entry_size = 0; // larger batches are rejected; at most a segment
    unsigned flushes_at_once = 1;     // at most storage::log_writer::lanes; 1 with ASYNC_FLUSH
};

// How a start found the log. All of it is on the disk.
struct replica_log {
    log_tail applied; // where the state that was made of it ends; all below is committed
    // The entries from there to its end, whole, fillers included: nobody here knows that they are committed.
    std::vector<shared_bytes> unapplied;
    consensus::hard_vote vote;
    // The log begins above 0, at `first`, and does not yet reach a snapshot of all that was before
    // (snapshot.hpp): nothing can be applied, and the chain's first link is not known.
    bool is_seeding = false;
    log_position first; // only then
};

class replica {
  public:
    // `applied`: the state at log.applied.
    replica(replica_settings settings, replica_log log, state applied);

    effects step(event what);

    [[nodiscard]] log_position appended() const { return tail_.next; }
    [[nodiscard]] log_position flushed() const { return flushed_; }
    // What a power cut would leave here; less than flushed() only with ASYNC_FLUSH.
    [[nodiscard]] log_position durable() const { return durable_; }
    // Given to the flusher; only this much may go to followers.
    [[nodiscard]] log_position handed() const { return handed_; }
    [[nodiscard]] log_position committed() const { return raft_.commit(); }
    // What a leader said is committed, whether it is here or not.
    [[nodiscard]] log_position commit_told() const { return commit_told_; }
    [[nodiscard]] log_position applied() const { return applied_tail_.next; }
    // The start of the last entry applied since the start; 0 when none was.
    [[nodiscard]] log_position last_applied_entry() const { return last_applied_entry_; }
    // The time of the last entry applied.
    [[nodiscard]] timestamp_ms applied_time() const { return applied_tail_.timestamp; }
    [[nodiscard]] term_number term() const { return raft_.term(); }
    [[nodiscard]] bool leading() const { return raft_.current_role() == consensus::role::leader && !fenced_; }
    // It leads and has applied everything that was ever answered: it may answer for the group.
    [[nodiscard]] bool ready() const { return leading() && raft_.commits_own_term(); }
    // It has no state yet to look things up in (replica_log::is_seeding).
    [[nodiscard]] bool is_seeding() const { return seeded_from_.has_value(); }
    [[nodiscard]] const consensus::raft& raft() const { return raft_; }
    [[nodiscard]] const state& current() const { return state_; }

  private:
    struct pending_entry {
        shared_bytes bytes;
        log_position position;
        log_tail after; // the log's tail behind it
        batch_ticket ticket;
        bool has_ticket = false;
        bool filler = false;
    };

    struct flush_under_way {
        log_position first;
        log_position until;
        unsigned lane = 0;
        std::optional<log_position> durable; // has ended, with this
    };

    // A configuration of the group that the log holds (thesis 4.1).
    struct logged_members {
        log_position end; // of its entry
        std::vector<consensus::member> members;
    };

    void on(const started& happened, effects& out);
    void on(const ticked& happened, effects& out);
    void on(message_received& happened, effects& out);
    void on(const peer_found& happened, effects& out);
    void on(const peer_lost& happened, effects& out);
    void on(batches_received& happened, effects& out);
    void on(const standing_asked& happened, effects& out);
    void on(entries_read& happened, effects& out);
    void on(const entries_flushed& happened, effects& out);
    void on(const log_truncated& happened, effects& out);
    void on(const flush_failed& happened, effects& out);
    void on(const idled& happened, effects& out);
    void on(const room_changed& happened, effects& out);
    void on(const lead_given& happened, effects& out);
    void on(const stopping& happened, effects& out);

    // --- leading ---
    void append(entry_draft draft, std::optional<batch_ticket> ticket, timestamp_ms now,
                std::uint16_t flags = 0);
    void append_filler(log_position at, timestamp_ms now);
    void append_members(std::vector<consensus::member> members);
    [[nodiscard]] storage::entry_header next_header(log_position position, timestamp_ms now) const;
    [[nodiscard]] storage::entry_header seal(entry_draft& draft, log_position position, timestamp_ms now,
                                             std::uint16_t flags) const;
    void lead(effects& out);
    void replicate(effects& out);
    void ask_standing(effects& out);
    void settle_standing(effects& out);
    void carry_out(consensus::actions actions, effects& out);
    static void pass_on(std::vector<consensus::message>& messages, effects& out);
    void supply(const consensus::entries_wanted& wanted, effects& out);
    void begin_if_left(const consensus::message& from, const consensus::append_answer& answer, effects& out);
    [[nodiscard]] log_position log_first() const;
    [[nodiscard]] std::optional<error> refusal(const append_batch& batch) const;

    // --- following (replica_follow.cpp) ---
    void follow(const consensus::message& from, effects& out);
    void begin_anew(const consensus::message& from, effects& out);
    void end_for_a_new_log(log_position first, effects& out);
    void pass_over(const pending_entry& entry, effects& out);
    [[nodiscard]] bool agrees(const consensus::append_request& request) const;
    void reject(const consensus::message& from, effects& out);
    [[nodiscard]] bool take_entries(const consensus::append_request& request, effects& out);
    [[nodiscard]] std::optional<error> misfit(const storage::entry_header& header) const;
    void receive_entry(const storage::entry_header& header, const shared_bytes& bytes);
    void answer(std::uint64_t sequence, effects& out);
    void cut_tail(log_position at, effects& out);
    void drop_tail(log_position at);
    void note_members(const shared_bytes& entry, log_position end);

    // --- both ---
    void place(const storage::entry_header& header, shared_bytes bytes);
    void push(pending_entry entry);
    void start_flush(effects& out);
    [[nodiscard]] std::optional<unsigned> free_lane() const;
    void fill_block();
    bool finish_flushes(const entries_flushed& happened);
    void apply_committed(effects& out);
    void hand_over_when_done(effects& out);
    void fence(error reason, effects& out);

    replica_settings settings_;
    consensus::raft raft_;
    state state_;

    log_tail tail_;
    log_tail applied_tail_;
    log_position flushed_; // counts towards commit
    log_position durable_; // survives a power cut here
    log_position handed_;  // to the flusher
    log_position last_applied_entry_;
    steady_ms now_{0};

    std::deque<pending_entry> unapplied_;  // [applied, appended)
    std::size_t unflushed_from_ = 0;       // index in unapplied_ of the first entry not handed to the flusher
    std::deque<flush_under_way> flushing_; // in log order; ended ones wait for those before them
    std::vector<logged_members> members_;  // in log order; the first is that of what is applied, if any
    std::vector<standing_ticket> asking_;  // the round that is under way is for them,
    std::vector<standing_ticket> ask_next_; // the next one for these
    // Following: the log is the leader's up to here, for certain.
    log_position matched_;
    log_position commit_told_;
    std::string followed_; // whom `matched_` and `sequence_` are about, and
    term_number followed_term_;
    std::uint64_t sequence_ = 0;
    std::optional<log_position> truncating_; // the disk's log is being cut here
    // Seeding: the log's beginning, and where the first snapshot ends that needs nothing from before it.
    std::optional<log_position> seeded_from_;
    std::optional<log_position> snapshot_end_;
    std::optional<log_position> room_until_;
    bool is_out_of_room_ = false; // what comes next did not fit
    bool has_ended_ = false;      // for a new replica to take its place
    bool idle_mark_ = false;      // the last entry is an idle mark
    bool fenced_ = false;
    bool stopping_ = false;
};

} // namespace holdfast::broker
