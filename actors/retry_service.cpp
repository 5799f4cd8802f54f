#include "actors/retry_service.hpp"

#include "actors/creation_limits.hpp"
#include "actors/frame_decoding.hpp"
#include "actors/limits.hpp"
#include "actors/session_failure.hpp"
#include "actors/visible_record.hpp"
#include "protocol/send_message.hpp"

#include <algorithm>
#include <spdlog/spdlog.h>
#include <utility>

namespace holdfast::actors {

using protocol::response_code;

void retry_service_state::set_up(retry_service_actor::pointer self,
                                 std::shared_ptr<const session_environment> environment) {
    self_ = self;
    environment_ = std::move(environment);
    search_.emplace(environment_->view->queues());
}

void retry_service_state::frames(const admin_job& job) {
    std::map<std::string, std::vector<std::uint32_t>> held;
    for (const auto index : job.frames->chosen) {
        if (!decode_frame(job.frames->frames, index, *job.connection, command_))
            continue;
        if (!handle(job))
            held[missing_topic_].push_back(index);
        if (draft_.size() >= limits::entry_target_bytes)
            append(job.connection);
    }
    append(job.connection);
    for (auto& [topic, indexes] : held)
        make_topic(topic, {job.connection,
                           std::make_shared<const session_frames>(
                               session_frames{job.frames->frames, std::move(indexes)}),
                           job.share});
    if (!answers_.empty())
        job.connection->send(answers_.release());
}

bool retry_service_state::handle(const admin_job& job) {
    const auto to = protocol::answer_to::of(command_);
    const bool oneway = command_.is_oneway();
    const auto fail = [&](response_code code, std::string_view why) {
        refuse(to, oneway, code, why);
        return true;
    };
    const auto request = protocol::decode_header<protocol::consumer_send_message_back_request>(command_);
    if (!request.ok())
        return fail(response_code::system_error, request.failure().message);
    if (!environment_->health->takes_messages())
        return fail(response_code::service_not_available, environment_->health->reason());
    if (const auto why = too_much_in_flight(*environment_))
        return fail(why->code, why->remark);
    const auto group = environment_->view->find_group(request->group);
    if (!group)
        return fail(response_code::subscription_group_not_exist,
                    "the group " + std::string{request->group} + " does not exist");
    const auto found = find_visible_record(*environment_, request->offset, *search_);
    if (!found.ok())
        return fail(response_code::system_error, found.failure().message);
    if (!*found)
        return fail(response_code::system_error, "there is no message at position " +
                                                     std::to_string(request->offset.value()) +
                                                     ", or none that a consumer may have");
    const auto& record = (*found)->bytes;
    const auto message = protocol::decode_stored_message(record);
    HOLDFAST_CHECK(message.ok());
    broker::send_back_request back{request->delay_level, std::nullopt};
    if (command_.version() >= protocol::version::v3_4_9)
        back.max_reconsume_times = request->max_reconsume_times;
    const auto plan = broker::plan_send_back(*message, *group, back);
    const auto topic = environment_->view->find_topic(plan.topic);
    if (!topic) {
        if (const auto why = no_room_for_topic(*environment_, plan.topic))
            return fail(why->code, why->remark);
        missing_topic_ = plan.topic;
        return false;
    }
    if (const auto room = record.size() + limits::entry_target_bytes / 64;
        !draft_.empty() && draft_.size() + room > environment_->intake.max_entry_bytes)
        append(job.connection);
    const auto added = broker::add_sent_back(*message, plan, *topic, spread_++, environment_->intake.delays,
                                             environment_->intake.store_host, draft_);
    if (!added.ok())
        return fail(response_code::message_illegal, added.failure().message);
    gathering_.answers.push_back({to, oneway});
    return true;
}

// Of the groups' own topics, which need nobody's leave to be made.
void retry_service_state::make_topic(const std::string& topic, admin_job held) {
    if (const auto making = being_made_.find(topic); making != being_made_.end())
        return creations_[making->second].push_back(std::move(held));
    broker::topic_config config;
    config.name = topic;
    config.read_queues = config.write_queues = 1;
    auto request = std::make_shared<append_request>();
    request->draft.add(broker::command_kind::topic_create, broker::encode(config));
    request->ticket = next_ticket_++;
    request->appender = self_;
    being_made_[topic] = request->ticket;
    creations_[request->ticket].push_back(std::move(held));
    self_->send(environment_->log, append_atom::value, std::move(request));
}

void retry_service_state::append(const connection_ptr& connection) {
    if (draft_.empty())
        return;
    auto request = std::make_shared<append_request>();
    request->draft = std::exchange(draft_, broker::entry_draft{});
    request->ticket = next_ticket_++;
    request->appender = self_;
    gathering_.connection = connection;
    gathering_.bytes = request->draft.size();
    environment_->counters->bytes_in_flight.fetch_add(gathering_.bytes, std::memory_order_relaxed);
    in_flight_[request->ticket] = std::exchange(gathering_, pending_entry{});
    self_->send(environment_->log, append_atom::value, std::move(request));
}

void retry_service_state::outcomes(const std::vector<batch_outcome>& outcomes) {
    for (const auto& outcome : outcomes) {
        if (const auto entry = in_flight_.extract(outcome.ticket); !entry.empty()) {
            environment_->counters->bytes_in_flight.fetch_sub(entry.mapped().bytes,
                                                              std::memory_order_relaxed);
            entry_ended(entry.mapped(), outcome);
            continue;
        }
        const auto created = creations_.extract(outcome.ticket);
        HOLDFAST_CHECK(!created.empty());
        std::erase_if(being_made_, [&](const auto& making) { return making.second == outcome.ticket; });
        for (const auto& job : created.mapped()) {
            if (!outcome.failure) {
                frames(job);
                continue;
            }
            for (const auto index : job.frames->chosen)
                if (decode_frame(job.frames->frames, index, *job.connection, command_))
                    refuse(protocol::answer_to::of(command_), command_.is_oneway(),
                           response_code::service_not_available, outcome.failure->message);
            if (!answers_.empty())
                job.connection->send(answers_.release());
        }
    }
}

void retry_service_state::entry_ended(const pending_entry& entry, const batch_outcome& outcome) {
    if (is_fate_unknown(outcome.failure))
        return entry.connection->close_after_flush(outcome.failure->message);
    for (std::size_t i = 0; i < entry.answers.size(); ++i) {
        const auto& waiting = entry.answers[i];
        if (outcome.failure)
            refuse(waiting.to, waiting.oneway, code_of_refusal(*outcome.failure), outcome.failure->message);
        else if (outcome.offsets[i] < queue_offset{0})
            refuse(waiting.to, waiting.oneway, response_code::system_error,
                   "the retry topic was deleted before the message was in it; send it back again");
        else if (!waiting.oneway)
            protocol::append_success(answers_, waiting.to);
    }
    if (!answers_.empty())
        entry.connection->send(answers_.release());
}

void retry_service_state::refuse(const protocol::answer_to& to, bool oneway, response_code code,
                                 std::string_view why) {
    spdlog::debug("refused to take a message back: {}", why);
    if (!oneway)
        protocol::append_failure(answers_, to, code, why);
}

retry_service_actor::behavior_type
retry_service(retry_service_actor::stateful_pointer<retry_service_state> self,
              std::shared_ptr<const session_environment> environment) {
    self->state.set_up(self, std::move(environment));
    return {
        [self](frames_atom, const admin_job_ptr& job) { self->state.frames(*job); },
        [self](outcome_atom, const batch_outcomes_ptr& outcomes) { self->state.outcomes(*outcomes); },
    };
}

} // namespace holdfast::actors
