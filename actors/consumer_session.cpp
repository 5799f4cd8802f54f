#include "actors/consumer_session.hpp"

#include "actors/frame_decoding.hpp"
#include "actors/limits.hpp"
#include "actors/session_failure.hpp"

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

// In the order they came, as far as the client reads the answers and readers keep up: what a session holds
// for a connection is bounded, however many requests it has sent.
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
    return reader_load_.is_full() ||
           answers_.size() + connection_->unwritten_bytes() > limits::max_unread_answer_bytes;
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
    case request_code::explain_message:
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
    case request_code::lock_batch_mq:
        return lock(false);
    case request_code::unlock_batch_mq:
        return lock(true);
    default:
        return refuse(response_code::request_code_not_supported,
                      " request type " + std::to_string(command_.code()) + " not supported");
    }
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
    const auto to = protocol::answer_to::of(command_);
    const auto& queue = checked->range.queue;
    const bool by_member = joined_.contains(request->consumer_group);
    if (pulled_.pulled(request->consumer_group, request->topic, queue)) {
        const auto begin = place_of(request->consumer_group, queue);
        if (!by_member)
            return answer_go_on_at(begin, "NEW_TOPIC", checked->range, to);
        environment_->owners->move(std::string{request->consumer_group}, queue, begin);
    }
    if (by_member && answer_moved(request->consumer_group, checked->range, to))
        return;
    if (request->has(protocol::pull_flag::commit_offset) && request->commit_offset >= queue_offset{0})
        commit(request->consumer_group, queue, request->commit_offset, false);
    switch (reader_->read(checked->range, checked->filter, to, answers_)) {
    case pull_outcome::answered:
        return;
    case pull_outcome::elsewhere:
        return to_reader(frames, index);
    case pull_outcome::nothing_new:
        return park({std::string{request->topic},
                     by_member ? std::string{request->consumer_group} : std::string{}, checked->range,
                     std::move(checked->filter), to, self_->clock().now() + checked->hold});
    case pull_outcome::beyond_end:
        return answer_beyond_end(std::string{request->consumer_group}, checked->range, to);
    }
}

// Where a consumer goes on that comes from no place in this queue: where its group stands, else at the
// beginning.
queue_offset consumer_session_state::place_of(std::string_view group, queue_key queue) const {
    const auto bounds = environment_->view->queues().bounds(queue);
    return std::clamp(environment_->view->offset(group, queue).value_or(bounds.first), bounds.first,
                      bounds.last);
}

// A consumer that comes from another leader may know more than this one does (trap T2). When it does not, it
// comes from a topic of that name that is gone, and has seen nothing of this one.
void consumer_session_state::answer_beyond_end(std::string group, const pull_range& range,
                                               const protocol::answer_to& to) {
    when_leading([this, group = std::move(group), range, to] {
        if (range.from > environment_->view->queues().bounds(range.queue).last)
            answer_go_on_at(place_of(group, range.queue), "OFFSET_OVERFLOW_BADLY", range, to);
        else
            reader_->answer_nothing_new(range, to, answers_); // it has come meanwhile
    });
}

// What is not there, and where a queue ends, a leader may say only while it leads: another may have been
// elected meanwhile, and has more. One that can't be sure says nothing, and closes the connection: no answer
// at all would be waited for, and a code would be taken for one (traps T1, T2).
void consumer_session_state::when_leading(std::function<void()> then) {
    if (environment_->cluster == nullptr)
        return then();
    self_->request(environment_->log, limits::request_timeout, standing_atom::value)
        .then(
            [this, then](bool is_leading) {
                if (!is_leading)
                    return connection_->close_after_flush("this node no longer leads its group");
                then();
                send_answers();
            },
            [this](const caf::error&) {
                connection_->close_after_flush("no majority of the group answered in time, so this node "
                                               "can't know that it still leads");
            });
}

// Notes who pulls the queue. When an operator has moved the group's offset there, the consumer is told so
// once, as 5.x brokers do; trap T2 is no danger here, since the offset is stored already.
bool consumer_session_state::answer_moved(std::string_view group, const pull_range& range,
                                          const protocol::answer_to& to) {
    const auto moved = environment_->owners->pulled(group, range.queue, connection_->id(), range.from);
    if (!moved)
        return false;
    answer_go_on_at(*moved, "OFFSET_RESET", range, to);
    return true;
}

void consumer_session_state::answer_go_on_at(queue_offset place, std::string_view why,
                                             const pull_range& range, const protocol::answer_to& to) {
    const auto bounds = environment_->view->queues().bounds(range.queue);
    protocol::append_pull_answer(answers_, to, response_code::pull_offset_moved, why,
                                 {0, place, bounds.first, bounds.last}, 0);
}

// Pulls that are held would otherwise hear of the reset only when their time is up.
void consumer_session_state::moved(const moved_queues& moved) {
    if (closed_)
        return;
    const std::set<queue_key> queues{moved.queues.begin(), moved.queues.end()};
    for (auto at = parked_.begin(); at != parked_.end();) {
        const auto& pull = at->second;
        if (pull.group != moved.group || !queues.contains(pull.range.queue) ||
            !answer_moved(pull.group, pull.range, pull.answer)) {
            ++at;
            continue;
        }
        environment_->view->queues().unpark(pull.range.queue, make_waiter(connection_->id(), at->first));
        at = parked_.erase(at);
    }
    send_answers();
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
    case pull_outcome::beyond_end:
        return answer_beyond_end(pull.group, pull.range, pull.answer);
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
    job->slot = reader_load_.take();
    next_reader_ = (next_reader_ + 1) % environment_->readers.size();
    self_->send(environment_->readers[next_reader_], read_atom::value, read_job_ptr{std::move(job)});
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
    environment_->producers->closed(connection_->id());
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
        [self](moved_atom, const moved_queues_ptr& moved) { self->state.moved(*moved); },
        [self](tick_atom) { self->state.tick(); },
        [self](closed_atom) { self->state.closed(); },
    };
}

} // namespace holdfast::actors
