// The reader actors: a few detached threads for requests that may have to wait for the disk. They answer the
// connection themselves: pulls of what is no longer in memory (11), look-ups by time (29, 32), by key (12)
// and by position (33).
#pragma once

#include "actors/follower_stays.hpp"
#include "actors/messages.hpp"
#include "actors/pull_reader.hpp"
#include "actors/session_environment.hpp"

#include <chrono>
#include <deque>
#include <optional>

namespace holdfast::actors {

class reader_state {
  public:
    void set_up(reader_actor::pointer self, std::shared_ptr<const session_environment> environment);
    void read(const read_job& job);
    // Pulls that were held long enough.
    void tick();
    caf::result<std::int64_t> offset_at(queue_key queue, timestamp_ms time);

  private:
    // Of a consumer that asks this node, which does not lead. Without the frame that it came in, whose batch
    // may be large.
    struct held_pull {
        connection_ptr connection;
        protocol::answer_to answer;
        pull_range range;
        std::optional<protocol::tag_filter> filter; // none: there can't be anything for it here
        sent_away_ptr sent;
        caf::actor_clock::time_point due;
    };

    void pull();
    // reader_follower.cpp
    void pull_as_follower(const read_job& job);
    // False: there is nothing to give.
    bool give(const held_pull& pull);
    [[nodiscard]] bool would_come_back(const held_pull& pull) const;
    void send_to_leader(const held_pull& pull);
    [[nodiscard]] std::chrono::milliseconds steady_now() const;
    void search_offset();
    void earliest_store_time();
    void view_message();
    void query_message();
    void explain(const read_job& job);

    // The place of the record at `offset`, which lies within the queue's bounds.
    result<storage::queue_index_entry> entry_at(queue_key queue, queue_offset offset);
    // The record as consumers get it, found by its position alone; nothing when no queue holds it.
    result<std::optional<std::vector<std::byte>>> complete_record(log_position position);
    // When it was stored, as consumers see it.
    result<timestamp_ms> store_time_at(queue_key queue, queue_offset offset);
    result<queue_offset> first_at_or_after(queue_key queue, storage::queue_bounds bounds, timestamp_ms time);
    void fail(const error& why);
    void send_answers(network::connection& to);

    reader_actor::pointer self_ = nullptr;
    std::shared_ptr<const session_environment> environment_;
    std::optional<pull_reader> puller_;
    std::optional<pull_reader> follower_puller_;
    bool as_follower_ = false;   // the request that is being answered
    std::deque<held_pull> held_; // by due time
    protocol::remoting_command command_;
    byte_buffer answers_;
    std::vector<storage::queue_index_entry> entries_;
};

reader_actor::behavior_type reader(reader_actor::stateful_pointer<reader_state> self,
                                   std::shared_ptr<const session_environment> environment);

} // namespace holdfast::actors
