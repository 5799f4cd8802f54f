#include "actors/group_offsets.hpp"

#include "actors/limits.hpp"
#include "actors/session_failure.hpp"
#include "base/byte_buffer.hpp"

#include <utility>

namespace holdfast::actors {

using protocol::response_code;

void group_offsets::commit(const offsets_commit_request& request) {
    if (!request.answered) {
        gathering_[request.commit.queue] = request.commit.next;
        if (draining_)
            flush();
        return;
    }
    // They gather while the disk is slow; clients commit again by themselves.
    if (gathering_waiters_.size() >= limits::max_waiting_commits) {
        byte_buffer answer;
        protocol::append_failure(answer, request.answer, response_code::system_busy,
                                 "[OVERLOAD] too many commits of the group " + context_.group +
                                     " wait for the disk, try again");
        return request.connection->send(answer.release());
    }
    gathering_[request.commit.queue] = request.commit.next;
    gathering_waiters_.push_back({request.connection, request.answer});
    flush();
}

std::int64_t group_offsets::query(queue_key queue) const {
    if (const auto found = gathering_.find(queue); found != gathering_.end())
        return found->second.value();
    if (const auto found = resetting_.find(queue); found != resetting_.end())
        return found->second.to.value();
    if (const auto found = in_flight_.find(queue); found != in_flight_.end())
        return found->second.value();
    const auto stored = stored_offset(*context_.environment->view, context_.group, queue);
    if (stored != no_offset_in_topic)
        return stored;
    const auto holds_topic = [&](const auto& offsets) {
        const auto at = offsets.lower_bound({queue.topic, queue_number{0}});
        return at != offsets.end() && at->first.topic == queue.topic;
    };
    const bool any = holds_topic(gathering_) || holds_topic(resetting_) || holds_topic(in_flight_);
    return any ? no_offset_in_queue : no_offset_in_topic;
}

void group_offsets::flush() {
    if (ticket_ != 0 || (gathering_.empty() && gathering_waiters_.empty()))
        return;
    in_flight_ = std::exchange(gathering_, {});
    in_flight_waiters_ = std::exchange(gathering_waiters_, {});
    std::vector<broker::offset_commit> commits;
    commits.reserve(in_flight_.size());
    for (const auto& [queue, next] : in_flight_)
        // A reset that is under way will have changed what is stored before this entry's turn comes.
        if (context_.environment->view->offset(context_.group, queue) != next || is_resetting(queue))
            commits.push_back({context_.group, queue, next});
    if (commits.empty())
        return flushed({});
    broker::entry_draft draft;
    draft.add(broker::command_kind::offsets_commit, broker::encode(commits));
    ticket_ = context_.append(std::move(draft));
}

void group_offsets::flushed(const batch_outcome& outcome) {
    ticket_ = 0;
    in_flight_.clear();
    for (const auto& waiter : std::exchange(in_flight_waiters_, {})) {
        if (outcome.failure) {
            answer_failure(waiter.connection, waiter.answer, *outcome.failure);
            continue;
        }
        byte_buffer answer;
        protocol::append_success(answer, waiter.answer);
        waiter.connection->send(answer.release());
    }
    if (!gathering_waiters_.empty() || draining_)
        flush();
    finish_draining();
}

caf::result<queue_offsets_ptr> group_offsets::reset(const offsets_reset_request_ptr& request) {
    pending_reset pending;
    pending.request = request;
    pending.after = std::make_shared<queue_offsets>();
    std::vector<broker::offset_commit> commits;
    for (const auto& [queue, to] : request->targets) {
        const auto current = query(queue);
        if (request->only_backwards && current >= 0 && queue_offset{current} <= to) {
            pending.after->emplace_back(queue, queue_offset{current});
            continue;
        }
        pending.after->emplace_back(queue, to);
        pending.moved.emplace_back(queue, to);
        commits.push_back({context_.group, queue, to});
    }
    if (commits.empty())
        return queue_offsets_ptr{pending.after};
    broker::entry_draft draft;
    draft.add(broker::command_kind::offsets_commit, broker::encode(commits));
    const auto ticket = context_.append(std::move(draft));
    for (const auto& [queue, to] : pending.moved) {
        gathering_.erase(queue);
        resetting_[queue] = {to, ticket};
    }
    pending.promise = context_.self->make_response_promise<queue_offsets_ptr>();
    auto promise = pending.promise;
    resets_.emplace(ticket, std::move(pending));
    return promise;
}

bool group_offsets::outcome(const batch_outcome& outcome) {
    if (ticket_ != 0 && outcome.ticket == ticket_) {
        flushed(outcome);
        return true;
    }
    auto found = resets_.extract(outcome.ticket);
    if (found.empty())
        return false;
    auto& done = found.mapped();
    std::erase_if(resetting_, [&](const auto& target) { return target.second.ticket == outcome.ticket; });
    if (outcome.failure) {
        // As when no answer comes at all: nobody knows.
        const auto kind =
            is_fate_unknown(outcome.failure) ? caf::sec::request_timeout : caf::sec::runtime_error;
        done.promise.deliver(caf::make_error(kind, outcome.failure->message));
    } else {
        moved_(*done.request, done.moved);
        done.promise.deliver(queue_offsets_ptr{done.after});
    }
    finish_draining();
    return true;
}

caf::result<drained_atom> group_offsets::drain() {
    draining_ = true;
    auto promise = context_.self->make_response_promise<drained_atom>();
    drained_.push_back(promise);
    flush();
    finish_draining();
    return promise;
}

void group_offsets::finish_draining() {
    if (ticket_ != 0 || !gathering_.empty() || !resets_.empty())
        return;
    for (auto& promise : std::exchange(drained_, {}))
        promise.deliver(drained_atom::value);
}

} // namespace holdfast::actors
