#include "actors/group_locks.hpp"

#include "actors/limits.hpp"
#include "actors/session_failure.hpp"
#include "base/byte_buffer.hpp"
#include "protocol/answers.hpp"

#include <algorithm>
#include <utility>

namespace holdfast::actors {

using protocol::response_code;

group_locks::group_locks(group_context& context)
    : context_(context),
      keeper_([&context](queue_key queue) { return context.environment->view->lock(context.group, queue); },
              context.now(), context.environment->config->lock_life) {}

void group_locks::request(const queue_lock_request_ptr& request) {
    if (waiting_.size() >= limits::max_waiting_locks) {
        if (request->connection) {
            byte_buffer answer;
            protocol::append_failure(answer, request->answer, response_code::system_busy,
                                     "[OVERLOAD] too many requests wait for locks of the group " +
                                         context_.group + ", try again");
            request->connection->send(answer.release());
        }
        return;
    }
    waiting_.push_back(request);
    serve();
}

void group_locks::serve() {
    while (ticket_ == 0 && !waiting_.empty()) {
        broker::lock_batch batch;
        while (!waiting_.empty() && !batch.full()) {
            under_way_.push_back(std::move(waiting_.front()));
            waiting_.pop_front();
            const auto& request = *under_way_.back();
            if (request.unlocks)
                keeper_.unlock(request.client_id, request.queues, batch);
            else
                keeper_.lock(request.client_id, request.queues, context_.now(), batch);
        }
        if (batch.empty()) {
            answer_all(std::nullopt);
            continue;
        }
        broker::entry_draft draft;
        draft.add(broker::command_kind::queue_locks,
                  broker::encode(broker::lock_changes{context_.group, batch.changes()}));
        ticket_ = context_.append(std::move(draft));
    }
}

bool group_locks::outcome(const batch_outcome& outcome) {
    if (ticket_ == 0 || outcome.ticket != ticket_)
        return false;
    ticket_ = 0;
    answer_all(outcome.failure);
    serve();
    return true;
}

void group_locks::answer_all(const std::optional<error>& failure) {
    for (const auto& request : std::exchange(under_way_, {}))
        answer(*request, failure);
}

void group_locks::answer(const queue_lock_request& request, const std::optional<error>& failure) {
    if (!request.connection)
        return;
    if (failure)
        return answer_failure(request.connection, request.answer, *failure);
    byte_buffer out;
    if (request.unlocks) {
        protocol::append_success(out, request.answer);
    } else {
        const auto held = keeper_.held(request.client_id, request.queues, context_.now());
        std::vector<protocol::message_queue> names;
        for (std::size_t i = 0; i < request.queues.size(); ++i)
            if (std::binary_search(held.begin(), held.end(), request.queues[i]))
                names.push_back(request.names[i]);
        protocol::append_success(out, request.answer, as_bytes(protocol::encode_locked_queues(names)));
    }
    request.connection->send(out.release());
}

} // namespace holdfast::actors
