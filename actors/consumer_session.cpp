#include "actors/consumer_session.hpp"

#include "actors/frame_decoding.hpp"
#include "actors/limits.hpp"
#include "actors/session_failure.hpp"
#include "protocol/names.hpp"
#include "protocol/queue_bodies.hpp"

#include <algorithm>
#include <spdlog/spdlog.h>
#include <utility>

namespace holdfast::actors {

using protocol::request_code;
using protocol::response_code;

void consumer_session_state::set_up(consumer_session_actor::pointer self, connection_ptr connection,
                                    std::shared_ptr<const session_environment> environment) {
    self_ = self;
    connection_ = std::move(connection);
    environment_ = std::move(environment);
    close_when_it_fails(*self_, connection_);
    reader_.emplace(*environment_, storage::queue_index::source::memory_only);
    environment_->waiters->add(connection_->id(), self_);
}

void consumer_session_state::frames(session_frames_ptr received) {
    if (closed_)
        return;
    const bool is_reminder = received == nullptr;
    if (!is_reminder)
        waiting_.push_back(std::move(received));
    if (is_reminder || !draining_)
        serve_waiting();
    else
        connection_->pause_reading(); // the connection's other session may have resumed it
}

// In the order they came, as far as the client reads the answers: what a session holds for a connection is
// bounded, however many requests it has sent.
void consumer_session_state::serve_waiting() {
    while (!waiting_.empty() && !is_full()) {
        const auto received = waiting_.front();
        while (next_waiting_ < received->chosen.size() && !is_full()) {
            const auto index = received->chosen[next_waiting_++];
            if (decode_frame(received->frames, index, *connection_, command_))
                dispatch(received->frames, index);
        }
        if (next_waiting_ < received->chosen.size())
            break;
        next_waiting_ = 0;
        waiting_.pop_front();
    }
    send_answers();
    const bool was_draining = std::exchange(draining_, !waiting_.empty());
    if (draining_ && !was_draining)
        connection_->pause_reading();
    if (was_draining && !draining_)
        connection_->resume_reading();
    if (draining_)
        self_->delayed_send(self_, limits::drain_tick, frames_atom::value, session_frames_ptr{});
}

bool consumer_session_state::is_full() const {
    return answers_.size() + connection_->unwritten_bytes() > limits::max_unread_answer_bytes;
}

void consumer_session_state::dispatch(const network::frame_batch& frames, std::uint32_t index) {
    switch (command_.request()) {
    case request_code::pull_message:
    case request_code::lite_pull_message:
        return pull(frames, index);
    case request_code::update_consumer_offset:
        return update_offset();
    case request_code::query_consumer_offset:
        return query_offset();
    case request_code::get_max_offset:
    case request_code::get_min_offset:
        return bounds_of_queue();
    case request_code::search_offset_by_timestamp:
    case request_code::get_earliest_message_store_time:
    case request_code::query_message:
    case request_code::view_message_by_id:
        return to_reader(frames, index);
    case request_code::heart_beat:
        return heart_beat();
    case request_code::unregister_client:
        return unregister();
    case request_code::get_consumer_list_by_group:
        return list_members();
    case request_code::check_client_config:
        return check_client_config();
    default:
        return refuse(response_code::request_code_not_supported,
                      " request type " + std::to_string(command_.code()) + " not supported");
    }
}

template <class Request>
std::optional<Request> consumer_session_state::decode() {
    auto request = protocol::decode_header<Request>(command_);
    if (request.ok())
        return std::move(*request);
    refuse(response_code::system_error, request.failure().message);
    return std::nullopt;
}

// --- pulls
// ------------------------------------------------------------------------------------------------------------

void consumer_session_state::pull(const network::frame_batch& frames, std::uint32_t index) {
    const auto request = decode<protocol::pull_message_request>();
    if (!request)
        return;
    broker::refusal refused;
    auto checked = check_pull(*request, *environment_, refused);
    if (!checked)
        return refuse(refused.code, refused.remark);
    if (request->has(protocol::pull_flag::commit_offset) && request->commit_offset >= queue_offset{0})
        commit(request->consumer_group, checked->range.queue, request->commit_offset, false);
    const auto to = protocol::answer_to::of(command_);
    switch (reader_->read(checked->range, checked->filter, to, answers_)) {
    case pull_outcome::answered:
        return;
    case pull_outcome::elsewhere:
        return to_reader(frames, index);
    case pull_outcome::nothing_new:
        return park({std::string{request->topic}, checked->range, std::move(checked->filter), to,
                     self_->clock().now() + checked->hold});
    }
}

void consumer_session_state::park(parked_pull pull) {
    // Whoever wakes or leaves is searched for among all who wait.
    const auto most =
        std::min<std::size_t>(max_parking_slots / 2, environment_->config->max_requests_in_flight);
    if (pull.deadline <= self_->clock().now() || parked_.size() >= most)
        return reader_->answer_nothing_new(pull.range, pull.answer, answers_);
    while (parked_.contains(next_slot_))
        next_slot_ = (next_slot_ + 1) % max_parking_slots;
    const auto slot = next_slot_;
    next_slot_ = (next_slot_ + 1) % max_parking_slots;
    const auto range = pull.range;
    parked_.emplace(slot, std::move(pull));
    // A message may have come since it was looked at.
    if (!environment_->view->queues().park(range.queue, range.from, make_waiter(connection_->id(), slot)))
        return look_again(slot);
    if (!ticking_) {
        ticking_ = true;
        self_->delayed_send(self_, limits::suspend_tick, tick_atom::value);
    }
}

void consumer_session_state::arrived(const std::vector<parking_slot>& slots) {
    if (closed_)
        return;
    for (const auto slot : slots) {
        look_again(slot);
        // A message may wake thousands of pulls of one client; a client that does not read them is closed.
        if (answers_.size() > limits::max_unread_answer_bytes)
            send_answers();
    }
    send_answers();
}

// Answers whatever there is now (trap T18: once, with the first opaque, without committing an offset again);
// also when what came is not for this consumer, which then goes on behind it.
void consumer_session_state::look_again(parking_slot slot) {
    const auto found = parked_.find(slot);
    if (found == parked_.end())
        return;
    auto pull = std::move(found->second);
    parked_.erase(found);
    const auto topic = environment_->view->find_topic(pull.topic);
    if (!topic || topic->id != pull.range.queue.topic)
        return protocol::append_failure(answers_, pull.answer, response_code::topic_not_exist,
                                        "the topic " + pull.topic + " was deleted");
    switch (reader_->read(pull.range, pull.filter, pull.answer, answers_)) {
    case pull_outcome::answered:
        return;
    case pull_outcome::nothing_new:
        return park(std::move(pull));
    case pull_outcome::elsewhere:
        // A burst pushed it out of memory before it was looked at: the client asks again, and a reader gets
        // it.
        return reader_->answer_nothing_new(pull.range, pull.answer, answers_);
    }
}

void consumer_session_state::tick() {
    ticking_ = false;
    const auto now = self_->clock().now();
    for (auto at = parked_.begin(); at != parked_.end();) {
        if (at->second.deadline > now) {
            ++at;
            continue;
        }
        environment_->view->queues().unpark(at->second.range.queue,
                                            make_waiter(connection_->id(), at->first));
        reader_->answer_nothing_new(at->second.range, at->second.answer, answers_);
        at = parked_.erase(at);
    }
    send_answers();
    if (!parked_.empty() && !closed_) {
        ticking_ = true;
        self_->delayed_send(self_, limits::suspend_tick, tick_atom::value);
    }
}

void consumer_session_state::to_reader(const network::frame_batch& frames, std::uint32_t index) {
    auto job = std::make_shared<read_job>();
    job->connection = connection_;
    job->frames = frames;
    job->frame = index;
    next_reader_ = (next_reader_ + 1) % environment_->readers.size();
    self_->send(environment_->readers[next_reader_], read_atom::value, read_job_ptr{std::move(job)});
}

// --- offsets
// ----------------------------------------------------------------------------------------------------------

broker::topic_ptr consumer_session_state::existing_topic(std::string_view name, queue_number queue) {
    auto topic = environment_->view->find_topic(name);
    if (!topic) {
        refuse(response_code::topic_not_exist, "the topic " + std::string{name} + " does not exist");
        return nullptr;
    }
    if (queue.value() >= std::max(topic->read_queues, topic->write_queues)) {
        refuse(response_code::system_error,
               "queueId " + std::to_string(queue.value()) + " is outside the topic " + topic->name);
        return nullptr;
    }
    return topic;
}

void consumer_session_state::update_offset() {
    const auto request = decode<protocol::update_consumer_offset_request>();
    if (!request)
        return;
    if (const auto named = protocol::check_group_name(request->consumer_group); !named.ok())
        return refuse(response_code::system_error, named.failure().message);
    if (request->commit_offset < queue_offset{0})
        return refuse(response_code::system_error, "commitOffset must not be negative");
    const auto topic = existing_topic(request->topic, request->queue);
    if (topic)
        commit(request->consumer_group, {topic->id, request->queue}, request->commit_offset,
               !command_.is_oneway());
}

void consumer_session_state::commit(std::string_view group, queue_key queue, queue_offset next,
                                    bool answered) {
    auto request = std::make_shared<offsets_commit_request>();
    request->group = group;
    request->commit = {std::string{group}, queue, next};
    if (answered)
        request->connection = connection_;
    request->answer = protocol::answer_to::of(command_);
    self_->send(environment_->directory, commit_atom::value, offsets_commit_request_ptr{std::move(request)});
}

void consumer_session_state::query_offset() {
    const auto request = decode<protocol::query_consumer_offset_request>();
    if (!request)
        return;
    const auto topic = environment_->view->find_topic(request->topic);
    // A topic that is not there has no offsets: the one case in which "nothing stored" is known without
    // asking.
    if (!topic)
        return refuse(response_code::query_not_found,
                      "the topic " + std::string{request->topic} + " does not exist, so no offset is stored");
    const queue_key queue{topic->id, request->queue};
    const auto to = protocol::answer_to::of(command_);
    const bool zero_forbidden = request->set_zero_if_not_found == false;
    self_
        ->request(environment_->directory, limits::request_timeout, query_atom::value,
                  std::string{request->consumer_group}, queue)
        .then(
            [this, to, queue, zero_forbidden](std::int64_t stored) {
                const auto bounds = environment_->view->queues().bounds(queue);
                if (stored >= 0)
                    protocol::append_response(answers_, to, protocol::offset_response{queue_offset{stored}});
                else if (bounds.first == queue_offset{0} && !zero_forbidden)
                    // Nothing was ever removed, so a new group starts at the beginning and skips nothing
                    // (protocol reference 3.4).
                    protocol::append_response(answers_, to, protocol::offset_response{queue_offset{0}});
                else
                    protocol::append_failure(answers_, to, response_code::query_not_found,
                                             "the group has no offset stored for this queue");
                send_answers();
            },
            [this](const caf::error&) {
                // Trap T1: any error would be taken for "no offset stored", and the group would jump to the
                // end.
                spdlog::warn("no answer to an offset query of {}: the group did not answer in time",
                             connection_->peer().text);
            });
}

void consumer_session_state::bounds_of_queue() {
    const auto request = decode<protocol::get_max_offset_request>();
    if (!request)
        return;
    const bool wants_max = command_.request() == request_code::get_max_offset;
    const auto topic = environment_->view->find_topic(request->topic);
    protocol::offset_response answer{queue_offset{wants_max ? 0 : -1}};
    if (topic && request->queue.value() < std::max(topic->read_queues, topic->write_queues)) {
        const auto bounds = environment_->view->queues().bounds({topic->id, request->queue});
        answer.offset = wants_max ? bounds.last : bounds.first;
    }
    protocol::append_response(answers_, protocol::answer_to::of(command_), answer);
}

// --- membership
// -------------------------------------------------------------------------------------------------------

void consumer_session_state::heart_beat() {
    auto beat = protocol::decode_heartbeat(command_.body());
    if (!beat.ok())
        return refuse(response_code::system_error, beat.failure().message);
    const auto to = protocol::answer_to::of(command_);
    struct progress {
        std::size_t left;
        std::string failure;
    };
    const auto state = std::make_shared<progress>(progress{beat->consumers.size(), {}});
    const auto finish = [this, to, state, oneway = command_.is_oneway()] {
        if (oneway)
            return;
        if (state->failure.empty())
            protocol::append_success(answers_, to);
        else
            protocol::append_failure(answers_, to, response_code::system_error, state->failure);
        send_answers();
    };
    if (beat->consumers.empty())
        return finish();
    for (auto& consumer : beat->consumers) {
        const auto named = protocol::check_group_name(consumer.group);
        if (!named.ok()) {
            state->failure = named.failure().message;
            if (--state->left == 0)
                finish();
            continue;
        }
        joined_.insert(consumer.group);
        auto member = std::make_shared<group_member>();
        member->connection = connection_;
        member->client_id = beat->client_id;
        member->language = command_.language();
        member->version = command_.version();
        member->consumer = std::move(consumer);
        self_
            ->request(environment_->directory, limits::request_timeout, join_atom::value,
                      group_member_ptr{std::move(member)})
            .then(
                [state, finish](bool) {
                    if (--state->left == 0)
                        finish();
                },
                [state, finish](const caf::error&) {
                    state->failure = "the group could not be registered, the broker takes no changes now";
                    if (--state->left == 0)
                        finish();
                });
    }
}

void consumer_session_state::unregister() {
    const auto request = decode<protocol::unregister_client_request>();
    if (!request)
        return;
    if (const auto joined = joined_.find(request->consumer_group); joined != joined_.end()) {
        self_->send(environment_->directory, leave_atom::value, *joined, connection_->id());
        joined_.erase(joined);
    }
    if (!command_.is_oneway())
        protocol::append_success(answers_, protocol::answer_to::of(command_));
}

void consumer_session_state::list_members() {
    const auto request = decode<protocol::get_consumer_list_request>();
    if (!request)
        return;
    const auto group = environment_->groups->find(request->consumer_group);
    if (!group)
        return refuse(response_code::system_error,
                      "no consumer of the group " + std::string{request->consumer_group} + " is connected");
    std::vector<std::string> ids;
    ids.reserve(group->members.size());
    for (const auto& member : group->members)
        ids.push_back(member.client_id);
    protocol::append_success(answers_, protocol::answer_to::of(command_),
                             as_bytes(protocol::encode_consumer_ids(ids)));
}

void consumer_session_state::check_client_config() {
    const auto check = protocol::decode_client_config_check(command_.body());
    if (!check.ok())
        return refuse(response_code::system_error, check.failure().message);
    if (check->subscription.expression_type != "TAG")
        return refuse(response_code::system_error,
                      "this broker filters by tag only, not by " + check->subscription.expression_type);
    protocol::append_success(answers_, protocol::answer_to::of(command_));
}

// --- ends
// -------------------------------------------------------------------------------------------------------------

void consumer_session_state::refuse(response_code code, std::string_view remark) {
    spdlog::debug("{} refused request {} with code {}: {}", connection_->peer().text, command_.code(),
                  static_cast<int>(code), remark);
    if (!command_.is_oneway())
        protocol::append_failure(answers_, protocol::answer_to::of(command_), code, remark);
}

void consumer_session_state::send_answers() {
    if (!answers_.empty())
        connection_->send(answers_.release());
}

void consumer_session_state::closed() {
    closed_ = true;
    environment_->waiters->remove(connection_->id());
    for (const auto& [slot, pull] : parked_)
        environment_->view->queues().unpark(pull.range.queue, make_waiter(connection_->id(), slot));
    parked_.clear();
    waiting_.clear();
    for (const auto& group : joined_)
        self_->send(environment_->directory, leave_atom::value, group, connection_->id());
    self_->quit();
}

consumer_session_actor::behavior_type
consumer_session(consumer_session_actor::stateful_pointer<consumer_session_state> self,
                 connection_ptr connection, std::shared_ptr<const session_environment> environment) {
    self->state.set_up(self, std::move(connection), std::move(environment));
    return {
        [self](frames_atom, const session_frames_ptr& received) { self->state.frames(received); },
        [self](arrived_atom, const std::vector<parking_slot>& slots) { self->state.arrived(slots); },
        [self](tick_atom) { self->state.tick(); },
        [self](closed_atom) { self->state.closed(); },
    };
}

} // namespace holdfast::actors
