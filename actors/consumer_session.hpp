// The consumer_session actor: everything one connection asks as a consumer. Pulls read the committed view
// here, on this actor's thread; a pull at the end of its queue is parked until a message comes or its time is
// up. What only the disk has goes to a reader, what concerns a group to its consumer_group.
//
// Every request ends in exactly one answer (none when oneway), or in a closed connection; except that offsets
// which can't be read now are not answered at all (trap T1).
#pragma once

#include "actors/limits.hpp"
#include "actors/messages.hpp"
#include "actors/pull_check.hpp"
#include "actors/pull_reader.hpp"
#include "actors/pulled_topics.hpp"
#include "actors/session_environment.hpp"

#include <deque>
#include <functional>
#include <set>
#include <unordered_map>

namespace holdfast::actors {

class consumer_session_state {
  public:
    void set_up(consumer_session_actor::pointer self, connection_ptr connection,
                std::shared_ptr<const session_environment> environment);

    // Null: a reminder of its own, to go on with what waits.
    void frames(session_frames_ptr received);
    void arrived(const std::vector<parking_slot>& slots);
    void moved(const moved_queues& moved);
    void tick();
    void closed();

  private:
    struct parked_pull {
        std::string topic;
        std::string group; // empty: the client has not joined the group
        pull_range range;
        protocol::tag_filter filter;
        protocol::answer_to answer;
        caf::actor_clock::time_point deadline;
    };

    void serve_waiting();
    [[nodiscard]] bool is_full() const;
    void dispatch(const network::frame_batch& frames, std::uint32_t index);
    void pull(const network::frame_batch& frames, std::uint32_t index);
    bool answer_moved(std::string_view group, const pull_range& range, const protocol::answer_to& to);
    void answer_go_on_at(queue_offset place, std::string_view why, const pull_range& range,
                         const protocol::answer_to& to);
    [[nodiscard]] queue_offset place_of(std::string_view group, queue_key queue) const;
    void park(parked_pull pull);
    void answer_beyond_end(std::string group, const pull_range& range, const protocol::answer_to& to);
    void look_again(parking_slot slot);
    // consumer_session_groups.cpp
    void update_offset();
    void query_offset();
    void answer_offset(const std::string& group, queue_key queue, const protocol::answer_to& to,
                       bool zero_forbidden);
    void bounds_of_queue();
    bool check_client_id(std::string_view id);
    void heart_beat();
    [[nodiscard]] std::string unwilling_to_join(std::string_view group) const;
    [[nodiscard]] std::string register_producers(const protocol::heartbeat& beat);
    void unregister();
    void list_members();
    void check_client_config();
    void lock(bool unlocks);
    void to_reader(const network::frame_batch& frames, std::uint32_t index);

    template <class Request>
    std::optional<Request> decode();
    void when_leading(std::function<void()> then);
    broker::topic_ptr existing_topic(std::string_view name, queue_number queue);
    void commit(std::string_view group, queue_key queue, queue_offset next, bool answered);
    [[nodiscard]] bool is_consumer(std::string_view group) const;
    void refuse(protocol::response_code code, std::string_view remark);
    void send_answers();

    consumer_session_actor::pointer self_ = nullptr;
    connection_ptr connection_;
    std::shared_ptr<const session_environment> environment_;
    std::optional<pull_reader> reader_;
    protocol::remoting_command command_;
    byte_buffer answers_;

    // Requests that wait until the client has read earlier answers, or readers have given theirs.
    std::deque<session_frames_ptr> waiting_;
    std::size_t next_waiting_ = 0; // in the first of them
    bool draining_ = false;        // a reminder is on its way, and reading is paused

    std::unordered_map<parking_slot, parked_pull> parked_;
    parking_slot next_slot_ = 0;
    std::set<std::string, std::less<>> joined_; // groups that must hear when the connection closes
    pulled_topics pulled_{limits::max_pulled_queues};
    std::size_t next_reader_ = 0;
    reader_load reader_load_;
    bool ticking_ = false;
    bool closed_ = false;
};

template <class Request>
std::optional<Request> consumer_session_state::decode() {
    auto request = protocol::decode_header<Request>(command_);
    if (request.ok())
        return std::move(*request);
    refuse(protocol::response_code::system_error, request.failure().message);
    return std::nullopt;
}

consumer_session_actor::behavior_type
consumer_session(consumer_session_actor::stateful_pointer<consumer_session_state> self,
                 connection_ptr connection, std::shared_ptr<const session_environment> environment);

} // namespace holdfast::actors
