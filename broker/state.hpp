// What the log means: topics, groups, offsets and the length of every queue.
//
// apply(entry) is a pure function of the state and the entry: every replica that applies the same log holds
// the same state. Nothing here reads a clock, a file or a random number. What applying changed is told as
// `state_changes`, in log order; the owner carries it into the read view and, from time to time, with the
// position applied, into the derived store.
#pragma once

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "broker/records.hpp"
#include "storage/queue_index_run.hpp"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

namespace holdfast::broker {

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
    std::string name; // its offsets went with it
};
struct log_trimmed {
    log_position first;                                     // of the log now
    std::vector<std::pair<queue_key, queue_offset>> firsts; // of the queues that lost messages
};
using fact = std::variant<topic_put, topic_deleted, group_put, group_deleted, offset_commit, log_trimmed>;

// What applying some entries changed: the facts in log order, and the messages by queue. Carry out the facts
// first: a run belongs to a topic that exists when all of them are done.
struct state_changes {
    std::vector<fact> facts;
    std::vector<queue_run> runs;
};

class state {
  public:
    // Applies a verified entry of the log and adds what it changed to `changes`. The queue offset of each of
    // its messages is appended to `offsets`, in order; -1 when its topic was deleted before the message's
    // entry (it is then in no queue, and must be answered as failed). An error means that this build can't
    // understand the log: the state is then useless and the replica must stop.
    result<void> apply(byte_view entry, log_position position, state_changes& changes,
                       std::vector<queue_offset>& offsets);

    // The same, but only messages count: for entries whose facts a snapshot has already (snapshot.hpp).
    result<void> apply_messages(byte_view entry, log_position position);

    // Call once after the last apply of a turn: moves the runs gathered per queue into `changes`.
    void collect_runs(state_changes& changes);

    // What a derived store held, before the rest of the log is applied.
    void restore_topic(topic_config config);
    void restore_group(group_config config);
    void restore_offset(const offset_commit& commit);
    void restore_queue(queue_key queue, queue_offset first, queue_offset next);
    void restore_next_topic_id(topic_id next) { next_topic_id_ = next; }
    void restore_first_position(log_position first) { first_position_ = first; }

    [[nodiscard]] topic_ptr find_topic(std::string_view name) const;
    [[nodiscard]] topic_ptr find_topic(topic_id id) const;
    [[nodiscard]] queue_offset next_offset(queue_key queue) const;
    [[nodiscard]] topic_id next_topic_id() const { return next_topic_id_; }
    [[nodiscard]] log_position first_position() const { return first_position_; }

    [[nodiscard]] const auto& topics() const { return topics_; }
    [[nodiscard]] const auto& groups() const { return groups_; }
    [[nodiscard]] const auto& offsets() const { return offsets_; }
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

    queue_offset apply_message(queue_key key, log_position record, std::uint32_t size, std::int32_t tags);
    queue_state* find_queue(queue_key key);
    enum class existing : std::uint8_t { is_replaced, stays };
    result<void> put_topic(byte_view payload, existing known, state_changes& changes);
    void delete_topic(std::string_view name, state_changes& changes);
    result<void> put_group(byte_view payload, existing known, state_changes& changes);
    void delete_group(std::string_view name, state_changes& changes);
    result<void> commit_offsets(byte_view payload, state_changes& changes);
    result<void> trim(byte_view payload, state_changes& changes);

    std::map<std::string, topic_ptr, std::less<>> topics_;
    std::unordered_map<topic_id, topic_ptr> topics_by_id_;
    std::map<std::string, group_ptr, std::less<>> groups_;
    std::map<std::string, group_offsets, std::less<>> offsets_;
    std::unordered_map<queue_key, queue_state> queues_;
    std::vector<queue_state*> touched_; // those with a run, in the order of their first message
    topic_id next_topic_id_{1};
    log_position first_position_;
};

} // namespace holdfast::broker
