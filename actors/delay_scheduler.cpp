#include "actors/delay_scheduler.hpp"

#include "actors/frame_decoding.hpp"
#include "actors/limits.hpp"
#include "actors/session_failure.hpp"
#include "actors/visible_record.hpp"
#include "broker/delivery_records.hpp"
#include "protocol/message_id.hpp"
#include "protocol/properties.hpp"
#include "protocol/send_message.hpp"
#include "protocol/stored_message.hpp"

#include <algorithm>
#include <spdlog/spdlog.h>
#include <utility>

namespace holdfast::actors {

using protocol::response_code;

void delay_scheduler_state::set_up(delay_scheduler_actor::pointer self,
                                   std::shared_ptr<const session_environment> environment) {
    self_ = self;
    environment_ = std::move(environment);
    self_->delayed_send(self_, limits::delay_tick, tick_atom::value);
}

void delay_scheduler_state::tick() {
    self_->delayed_send(self_, limits::delay_tick, tick_atom::value);
    work();
}

void delay_scheduler_state::work() {
    if (!environment_->health->leads())
        return;
    while (!under_way_ && !recalls_.empty())
        if (!start_recall(recalls_.front()))
            recalls_.pop_front();
    if (!under_way_)
        deliver();
}

// --- deliveries
// -------------------------------------------------------------------------------------------------

bool delay_scheduler_state::deliver() {
    const auto now = environment_->wall_clock();
    auto& delays = environment_->view->delays();
    if (now < rest_until_ || (now < quiet_until_ && delays.in_memory() == 0))
        return false;
    const auto log_time = environment_->view->log_time();
    const auto due = delays.due(std::min(now, log_time), limits::max_deliveries_per_entry);
    if (!due.ok()) {
        spdlog::error("delayed messages can't be delivered: {}", due.failure().message);
        rest_until_ = now + limits::delay_rest.count();
        return false;
    }
    broker::entry_draft draft;
    if (!due->messages.empty()) {
        draft.add(broker::command_kind::deliveries,
                  broker::encode(broker::deliveries{due->version, due->messages}));
        append(std::move(draft));
        return true;
    }
    const auto next = delays.next();
    if (!next.ok() || !*next) {
        quiet_until_ = now + limits::delay_rest.count();
        return false;
    }
    if ((*next)->key.due > now) {
        quiet_until_ = std::min((*next)->key.due, now + limits::delay_rest.count());
        return false;
    }
    draft.add(broker::command_kind::idle_mark, byte_view{});
    append(std::move(draft));
    return true;
}

void delay_scheduler_state::append(broker::entry_draft draft) {
    auto request = std::make_shared<append_request>();
    request->draft = std::move(draft);
    request->ticket = next_ticket_++;
    request->appender = self_;
    under_way_ = true;
    self_->send(environment_->log, append_atom::value, std::move(request));
}

void delay_scheduler_state::outcomes(const std::vector<batch_outcome>& outcomes) {
    for (const auto& outcome : outcomes) {
        under_way_ = false;
        // The table had moved: looked at again below.
        const bool moved =
            !outcome.failure && !outcome.offsets.empty() && outcome.offsets.front() < queue_offset{0};
        if (outcome.failure)
            rest_until_ = environment_->wall_clock() + limits::delay_rest.count();
        if (std::exchange(recalling_, false) && !moved) {
            const auto asked = std::move(recalls_.front());
            recalls_.pop_front();
            if (outcome.failure)
                answer_failure(asked.connection, asked.to, *outcome.failure);
            else
                answer(asked, response_code::success, {});
        }
    }
    work();
}

// --- recalls
// ----------------------------------------------------------------------------------------------------

void delay_scheduler_state::frames(const admin_job& job) {
    for (const auto index : job.frames->chosen) {
        if (!decode_frame(job.frames->frames, index, *job.connection, command_))
            continue;
        recall asked{job.connection, protocol::answer_to::of(command_), {}};
        const auto request = protocol::decode_header<protocol::recall_message_request>(command_);
        if (!request.ok()) {
            answer(asked, response_code::system_error, request.failure().message);
            continue;
        }
        auto handle = protocol::parse_recall_handle(request->recall_handle);
        if (!handle.ok()) {
            answer(asked, response_code::illegal_operation, handle.failure().message);
            continue;
        }
        if (handle->topic != request->topic) {
            answer(asked, response_code::illegal_operation, "the handle belongs to another topic");
            continue;
        }
        if (recalls_.size() >= limits::max_recalls_waiting) {
            answer(asked, response_code::system_busy, "[REJECTREQUEST] too many recalls wait, try again");
            continue;
        }
        asked.handle = std::move(*handle);
        recalls_.push_back(std::move(asked));
    }
    work();
}

bool delay_scheduler_state::start_recall(const recall& wanted) {
    const auto version = environment_->view->delays().version();
    const auto found = find(wanted);
    if (!found.ok()) {
        answer(wanted, response_code::system_error, found.failure().message);
        return false;
    }
    if (!*found) {
        answer(wanted, response_code::system_error,
               "no such message is waiting: it was delivered or called back before, or never was");
        return false;
    }
    broker::entry_draft draft;
    draft.add(broker::command_kind::delayed_cancel,
              broker::encode(broker::cancellations{version, {(*found)->key}}));
    append(std::move(draft));
    recalling_ = true;
    return true;
}

// By its time and UNIQ_KEY; with the time 0, by its offset message id.
result<std::optional<storage::delayed_message>> delay_scheduler_state::find(const recall& wanted) {
    using nothing = std::optional<storage::delayed_message>;
    const auto& delays = environment_->view->delays();
    if (wanted.handle.due == timestamp_ms{0}) {
        const auto id = protocol::parse_message_id(wanted.handle.unique_key);
        if (!id.ok())
            return id.failure();
        const auto record = locate_record(*environment_, id->position);
        if (!record.ok() || !*record || !broker::is_delayed((*record)->command.kind))
            return record.ok() ? result<nothing>{nothing{}} : result<nothing>{record.failure()};
        const auto message = protocol::decode_stored_message((*record)->bytes());
        if (!message.ok() || message->topic != wanted.handle.topic)
            return nothing{};
        const auto payload = broker::decode_delayed((*record)->payload());
        if (!payload.ok())
            return payload.failure();
        return delays.find({payload->due, id->position});
    }
    const auto candidates = delays.at(wanted.handle.due);
    if (!candidates.ok())
        return candidates.failure();
    for (const auto& candidate : *candidates) {
        const auto record = locate_record(*environment_, candidate.key.position);
        if (!record.ok())
            return record.failure();
        if (!*record)
            continue;
        const auto message = protocol::decode_stored_message((*record)->bytes());
        if (message.ok() && message->topic == wanted.handle.topic &&
            message->property(protocol::property::unique_key) == wanted.handle.unique_key)
            return nothing{candidate};
    }
    return nothing{};
}

void delay_scheduler_state::answer(const recall& asked, response_code code, std::string_view why) {
    byte_buffer out;
    if (code == response_code::success)
        protocol::append_response(out, asked.to, protocol::recall_message_response{asked.handle.unique_key});
    else
        protocol::append_failure(out, asked.to, code, why);
    asked.connection->send(out.release());
}

delay_scheduler_actor::behavior_type
delay_scheduler(delay_scheduler_actor::stateful_pointer<delay_scheduler_state> self,
                std::shared_ptr<const session_environment> environment) {
    self->state.set_up(self, std::move(environment));
    return {
        [self](frames_atom, const admin_job_ptr& job) { self->state.frames(*job); },
        [self](outcome_atom, const batch_outcomes_ptr& outcomes) { self->state.outcomes(*outcomes); },
        [self](tick_atom) { self->state.tick(); },
    };
}

} // namespace holdfast::actors
