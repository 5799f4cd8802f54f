// What the log means: topics, groups, offsets, the length of every queue, and what waits for a decision or
// for its time.
//
// apply(entry) is a pure function of the state and the entry: every replica that applies the same log holds
// the same state. Nothing here reads a clock, a file or a random number. What applying changed is told as
// `state_changes`, in log order; the owner carries it into the read view and, from time to time, with the
// position applied, into the derived store.
#pragma once

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "broker/delivery_records.hpp"
#include "broker/queue_locks.hpp"
#include "broker/records.hpp"
#include "broker/reference_ledger.hpp"
#include "broker/transaction_table.hpp"
#include "consensus/message.hpp"
#include "storage/delivery_index.hpp"
#include "storage/queue_index_run.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

namespace holdfast::broker {

struct command_view;

using topic_ptr = std::shared_ptr<const topic_config>;
using group_ptr = std::shared_ptr<const group_config>;

// Consecutive messages of one queue, as they were given their offsets.
struct queue_run {
    queue_key queue;
    queue_offset first;
    std::vector<storage::queue_index_entry> entries;
};

struct topic_put {
    topic_ptr topic;
};
struct topic_deleted {
    topic_ptr topic;
};
struct group_put {
    group_ptr group;
};
struct group_deleted {
    std::string name; // its offsets and locks went with it
};
struct lock_put {
    std::string group;
    lock_change change;
};
struct log_trimmed {
    log_position first;                                     // of the log now
    std::vector<std::pair<queue_key, queue_offset>> firsts; // of the queues that lost messages
};
using fact =
    std::variant<topic_put, topic_deleted, group_put, group_deleted, offset_commit, log_trimmed, lock_put>;

// How far the delayed messages are delivered.
struct delay_progress {
    // Moves with every delivery and cancellation, so that none is carried out on an outdated look at the
    // table.
    std::uint64_t version = 0;
    delay_key cursor; // everything up to here is delivered

    friend bool operator==(const delay_progress&, const delay_progress&) = default;
};

struct cancelled_delays {
    log_position at; // the entry
    std::vector<delay_key> keys;
};

// What applying some entries changed: the facts in log order, and the rest by kind. Carry out the facts
// first: a run belongs to a topic that exists when all of them are done.
struct state_changes {
    std::vector<fact> facts;
    std::vector<queue_run> runs;

    std::vector<half_message> halves;         // new, or checked once more
    std::vector<log_position> halves_settled; // no longer pending
    std::vector<delayed_message> delayed;
    std::vector<cancelled_delays> cancelled;
    std::optional<delay_progress> delay; // where it is now, when it moved
    std::vector<storage::settled_record> settled;
    std::vector<std::uint64_t> blocks; // of the reference ledger
};

class state {
  public:
    // Applies a verified entry of the log and adds what it changed to `changes`. One number for each of its
    // messages, decisions, deliveries and cancellations is appended to `offsets`, in order:
    //   message                     its queue offset; -1 when its topic was deleted before (it is then in no
    //                               queue, and must be answered as failed)
    //   half                        its number (half_message), which clients take for a queue offset
    //   delayed                     likewise
    //   each decision of a list     the queue offset it was committed at, or a decision_outcome
    //   deliveries, cancellations   how many messages, or -1: the table has moved, look again
    // An error means that this build can't understand the log: the state is then useless and the replica must
    // stop.
    result<void> apply(byte_view entry, log_position position, state_changes& changes,
                       std::vector<queue_offset>& offsets);

    // The same, but without the facts, for entries whose facts a snapshot has already (snapshot.hpp).
    result<void> apply_messages(byte_view entry, log_position position, state_changes& changes);

    // An entry of this term was applied, fillers too: the checkpoint keeps which term wrote what.
    void note_term(log_position position, term_number term) { runs_.note(position, term); }

    // Call once after the last apply of a turn: moves the runs gathered per queue into `changes`.
    void collect_runs(state_changes& changes);

    // What a derived store held, before the rest of the log is applied.
    void restore_topic(topic_config config);
    void restore_group(group_config config);
    void restore_offset(const offset_commit& commit);
    void restore_lock(std::string_view group, const lock_change& change) { locks_.restore(group, change); }
    void restore_queue(queue_key queue, queue_offset first, queue_offset next);
    void restore_next_topic_id(topic_id next) { next_topic_id_ = next; }
    void restore_first_position(log_position first) { first_position_ = first; }
    void restore_half(half_message half, std::string_view group) { halves_.add(std::move(half), group); }
    void restore_members(std::vector<consensus::member> members) { members_ = std::move(members); }
    void restore_runs(consensus::term_runs runs) { runs_ = std::move(runs); }
    void restore_delay(const delay_progress& progress) { delay_ = progress; }
    void restore_block(std::uint64_t block, const reference_ledger::block_use& use) {
        ledger_.restore(block, use);
    }

    [[nodiscard]] topic_ptr find_topic(std::string_view name) const;
    [[nodiscard]] topic_ptr find_topic(topic_id id) const;
    [[nodiscard]] queue_offset next_offset(queue_key queue) const;
    [[nodiscard]] topic_id next_topic_id() const { return next_topic_id_; }
    [[nodiscard]] log_position first_position() const { return first_position_; }

    [[nodiscard]] const auto& topics() const { return topics_; }
    [[nodiscard]] const auto& groups() const { return groups_; }
    [[nodiscard]] const auto& offsets() const { return offsets_; }
    [[nodiscard]] const queue_locks& locks() const { return locks_; }
    [[nodiscard]] const transaction_table& halves() const { return halves_; }
    // The group's configuration; empty for a node that was always alone.
    [[nodiscard]] const std::vector<consensus::member>& members() const { return members_; }
    [[nodiscard]] const consensus::term_runs& runs() const { return runs_; }
    [[nodiscard]] const delay_progress& delay() const { return delay_; }
    [[nodiscard]] const reference_ledger& ledger() const { return ledger_; }
    // How far retention may go (reference_ledger::lower), undecided halves considered.
    [[nodiscard]] reference_ledger::limit retention_limit(log_position wanted,
                                                          timestamp_ms oldest_kept) const;
    // Where a queue begins: what was below is gone by retention.
    [[nodiscard]] queue_offset first_offset(queue_key queue) const;
    // The length of every queue that ever had a message.
    [[nodiscard]] std::vector<std::pair<queue_key, queue_offset>> queue_lengths() const;

  private:
    struct queue_state {
        queue_key key;
        queue_offset first;
        queue_offset next;
        std::vector<storage::queue_index_entry> run; // since the last collect_runs
    };
    using group_offsets = std::unordered_map<queue_key, queue_offset>;

    // One entry on its way through apply.
    struct application {
        byte_view entry;
        log_position position;
        bool facts = true; // false: a snapshot has them, and what it says of records below the log's first
                           // position is about what is gone
        state_changes& changes;
        std::vector<queue_offset>& offsets;
    };

    result<void> apply_commands(application& what);
    result<void> apply_fact(const command_view& command, application& what);
    // state_deliveries.cpp
    result<void> apply_delivery(const command_view& command, application& what);
    result<void> add_half(const command_view& command, application& what);
    result<void> decide(const command_view& command, application& what);
    queue_offset decide(const decision& decided, application& what);
    result<void> check_halves(byte_view payload, application& what);
    void give_up(const half_message& half, application& what);
    result<void> park(const command_view& command, application& what);
    result<void> deliver(byte_view payload, application& what);
    result<void> cancel(byte_view payload, application& what);
    queue_offset refer(queue_key queue, log_position record, std::uint32_t size, std::int32_t tags,
                       application& what);

    queue_offset append(queue_key key, const storage::queue_index_entry& entry);
    queue_state* find_queue(queue_key key);
    enum class existing : std::uint8_t { is_replaced, stays };
    result<void> put_topic(byte_view payload, existing known, state_changes& changes);
    void delete_topic(std::string_view name, state_changes& changes);
    result<void> put_group(byte_view payload, existing known, state_changes& changes);
    void delete_group(std::string_view name, state_changes& changes);
    result<void> commit_offsets(byte_view payload, state_changes& changes);
    result<void> change_locks(byte_view payload, state_changes& changes);
    result<void> trim(byte_view payload, state_changes& changes);

    std::map<std::string, topic_ptr, std::less<>> topics_;
    std::unordered_map<topic_id, topic_ptr> topics_by_id_;
    std::map<std::string, group_ptr, std::less<>> groups_;
    std::map<std::string, group_offsets, std::less<>> offsets_;
    queue_locks locks_;
    std::unordered_map<queue_key, queue_state> queues_;
    std::vector<queue_state*> touched_; // those with a run, in the order of their first message
    transaction_table halves_;
    delay_progress delay_;
    reference_ledger ledger_;
    topic_id next_topic_id_{1};
    log_position first_position_;
    std::vector<consensus::member> members_;
    consensus::term_runs runs_;
};

} // namespace holdfast::broker
