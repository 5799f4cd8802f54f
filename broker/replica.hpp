// The heart: one replica of a broker group's log, as a plain state machine.
//
// step(event) -> effects. It owns the tail of the log (where the next entry goes, the checksum chain), the
// watermarks
//     appended >= flushed >= committed >= applied        (byte positions)
// and the state that applying produces. It knows no clock (time comes in with events), no thread, no file and
// no actor: in production the commit_log actor drives it, in tests a script or a simulator does.
//
// What an effect means for durability: a batch in `applied` is committed, that is flushed on a majority, and
// visible to consumers once the owner has carried out `changes`. A batch in `rejected` is not in the log and
// never will be. A batch that was appended when the replica is fenced is in neither: its outcome is unknown
// and must not be answered OK; the owner answers it as failed or closes the connection.
//
// Group commit (no timer): while flushes are under way the batches that come gather; the end of one starts
// the next flush with all of them. Two may be under way (docs/decisions/0005): they end in any order, and
// count only once everything before them is flushed. So a crash can leave a hole, and what lies behind it is
// nobody's.
#pragma once

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "broker/entry_draft.hpp"
#include "broker/state.hpp"
#include "consensus/raft.hpp"
#include "storage/segment_geometry.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace holdfast::broker {

// The owner's own number for a batch, given back with its outcome.
using batch_ticket = strong<struct batch_ticket_tag, std::uint64_t>;

struct append_batch {
    entry_draft draft;
    batch_ticket ticket;
};

// --- events
// -------------------------------------------------------------------------------------------------------

struct started {};
// The term of the effect `persist_term` is on disk.
struct term_persisted {};
struct batches_received {
    std::vector<append_batch> batches;
    timestamp_ms now;
};
// A flusher has carried out the flush request that ends at `until`. `durable` is what a power cut would leave
// of the log up to there; with ASYNC_FLUSH it lags behind `until`, otherwise it equals it. A request before
// it may still be under way: that one's end is told by its own event. With ASYNC_FLUSH also said of no
// request, when a late flush has made `until` durable.
struct entries_flushed {
    log_position until;
    log_position durable;
};
struct flush_failed {
    error reason;
};
// Nothing came for a while.
struct idled {
    timestamp_ms now;
};
// No more appends; what was appended is still flushed and answered.
struct stopping {};

using event =
    std::variant<started, term_persisted, batches_received, entries_flushed, flush_failed, idled, stopping>;

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

struct effects {
    std::optional<term_number> persist_term;
    std::optional<flush_request> flush;
    std::vector<applied_batch> applied;
    std::vector<rejected_batch> rejected;
    state_changes changes;
    std::optional<error> fenced; // said once: nothing will ever be appended or answered OK again
};

// --- the replica
// --------------------------------------------------------------------------------------------------

struct replica_settings {
    consensus::member_name self;
    std::vector<consensus::member_name> members;
    std::uint64_t max_entry_size = 0; // larger batches are rejected; at most a segment
    unsigned flushes_at_once = 1;     // at most storage::log_writer::lanes; 1 with ASYNC_FLUSH
};

// Where recovery left the log.
struct recovered_tail {
    log_position next; // where the next entry goes
    term_number last_term;
    std::uint32_t last_checksum = 0;
    timestamp_ms last_timestamp;
    storage::segment_geometry geometry;
};

class replica {
  public:
    // `recovered` holds the state at the end of the log that `tail` describes.
    replica(replica_settings settings, recovered_tail tail, state recovered);

    effects step(event what);

    [[nodiscard]] log_position appended() const { return next_; }
    [[nodiscard]] log_position flushed() const { return flushed_; }
    // What a power cut would leave here; less than flushed() only with ASYNC_FLUSH.
    [[nodiscard]] log_position durable() const { return durable_; }
    [[nodiscard]] log_position committed() const { return raft_.commit(); }
    [[nodiscard]] log_position applied() const { return applied_; }
    // The start of the last entry applied since the start; 0 when none was.
    [[nodiscard]] log_position last_applied_entry() const { return last_applied_entry_; }
    // The time of the last entry applied.
    [[nodiscard]] timestamp_ms applied_time() const { return applied_time_; }
    [[nodiscard]] term_number term() const { return raft_.term(); }
    [[nodiscard]] bool leading() const { return leading_ && !fenced_; }
    [[nodiscard]] const state& current() const { return state_; }

  private:
    struct pending_entry {
        shared_bytes bytes;
        log_position position;
        log_position end; // where the entry after it begins
        timestamp_ms timestamp;
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

    void on(const started& happened, effects& out);
    void on(const term_persisted& happened, effects& out);
    void on(batches_received& happened, effects& out);
    void on(const entries_flushed& happened, effects& out);
    void on(const flush_failed& happened, effects& out);
    void on(const idled& happened, effects& out);
    void on(const stopping& happened, effects& out);

    void append(entry_draft draft, std::optional<batch_ticket> ticket, timestamp_ms now);
    void append_filler(log_position at, timestamp_ms now);
    void seal(entry_draft& draft, log_position position, timestamp_ms now);
    void push(pending_entry entry);
    void start_flush(effects& out);
    [[nodiscard]] std::optional<unsigned> free_lane() const;
    void fill_block();
    bool finish_flushes(const entries_flushed& happened);
    void apply_committed(effects& out);
    void fence(error reason, effects& out);
    [[nodiscard]] std::optional<error> refusal(const append_batch& batch) const;

    replica_settings settings_;
    consensus::raft raft_;
    state state_;

    log_position next_;
    log_position flushed_; // counts towards commit
    log_position durable_; // survives a power cut here
    log_position applied_;
    log_position last_applied_entry_;
    timestamp_ms applied_time_;
    storage::segment_geometry geometry_;
    std::uint32_t last_checksum_ = 0;
    timestamp_ms last_timestamp_;

    std::deque<pending_entry> unapplied_;  // [applied_, next_)
    std::size_t unflushed_from_ = 0;       // index in unapplied_ of the first entry not handed to the flusher
    std::deque<flush_under_way> flushing_; // in log order; ended ones wait for those before them
    bool idle_mark_ = false;               // the last entry is an idle mark
    bool leading_ = false;
    bool fenced_ = false;
    bool stopping_ = false;
};

} // namespace holdfast::broker
