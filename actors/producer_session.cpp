#include "actors/producer_session.hpp"

#include "actors/creation_limits.hpp"
#include "actors/frame_decoding.hpp"
#include "actors/limits.hpp"
#include "actors/session_failure.hpp"
#include "protocol/answers.hpp"
#include "protocol/message_id.hpp"
#include "protocol/names.hpp"
#include "protocol/recall_handle.hpp"

#include <algorithm>
#include <spdlog/spdlog.h>
#include <utility>

namespace holdfast::actors {
namespace {

using protocol::response_code;

// Which answer makes a stock client do the right thing (protocol reference 2, trap T7): 14 is retried on
// another queue or broker, 13 goes to the application.
broker::refusal refusal_of(const error& why) {
    switch (why.code) {
    case errc::too_large:
    case errc::invalid_argument:
        return {response_code::message_illegal, why.message};
    case errc::unavailable:
        return {response_code::service_not_available, why.message};
    default:
        return {response_code::system_error, why.message};
    }
}

} // namespace

void producer_session_state::set_up(producer_session_actor::pointer self, connection_ptr connection,
                                    std::shared_ptr<const session_environment> environment) {
    self_ = self;
    connection_ = std::move(connection);
    environment_ = std::move(environment);
    close_when_it_fails(*self_, connection_);
    intake_.emplace(environment_->intake);
    born_host_ = {connection_->peer().ipv4, connection_->peer().port};
}

void producer_session_state::frames(const session_frames& received) {
    if (closed_)
        return;
    turn_bytes_ = received.frames.bytes() + received.chosen.size() * intake_->room_for(0);
    intake_->set_now(environment_->wall_clock());
    for (const auto index : received.chosen)
        handle(received.frames, index);
    flush_draft();
    send_answers();
    pause_if_full();
}

void producer_session_state::handle(const network::frame_batch& frames, std::uint32_t index) {
    if (!decode_frame(frames, index, *connection_, command_))
        return;
    if (command_.request() == protocol::request_code::end_transaction)
        return end_transaction(frames, index);
    const auto to = protocol::answer_to::of(command_);
    const auto oneway = command_.is_oneway();
    auto request = protocol::decode_send_message(command_);
    if (!request.ok())
        return refuse(to, oneway, {response_code::system_error, request.failure().message});
    if (const auto why = unwilling())
        return refuse(to, oneway, *why);
    if (const auto why = broker::message_intake::check_request(*request))
        return refuse(to, oneway, *why);
    if (protocol::is_retry_topic(request->topic))
        if (const auto why = redirect_retry(*request))
            return refuse(to, oneway, *why);
    // While a topic is being made its sends wait in line, also those that come when it is there already.
    const auto* const topic = is_being_made(request->topic) ? nullptr : find_topic(request->topic);
    if (topic == nullptr)
        return hold_for_creation(frames, index, *request);
    take(*request, *topic, frames.view(index).size());
}

// Protocol reference 6.5: a message that its group had too often goes to the group's dead letters. 4.9's rule
// (T27), but a client that sends 0 for "not set" gets the group's own limit.
std::optional<broker::refusal>
producer_session_state::redirect_retry(protocol::send_message_request& request) {
    const auto group_name = protocol::group_of_topic(request.topic).value_or("");
    const auto group = environment_->view->find_group(group_name);
    if (!group)
        return broker::refusal{response_code::subscription_group_not_exist,
                               "the group " + std::string{group_name} +
                                   " does not exist: start a consumer of it first, or create it"};
    const bool says_limit =
        command_.version() >= protocol::version::v3_4_9 && request.max_reconsume_times.value_or(0) > 0;
    const auto limit =
        says_limit ? *request.max_reconsume_times : static_cast<std::int32_t>(group->retry_max_times);
    if (request.reconsume_times < limit)
        return std::nullopt;
    dead_letter_topic_ = protocol::dead_letter_topic_of(group_name);
    request.topic = dead_letter_topic_;
    request.queue_id = 0;
    return std::nullopt;
}

void producer_session_state::take(const protocol::send_message_request& request,
                                  const broker::topic_config& topic, std::size_t frame_bytes) {
    const auto to = protocol::answer_to::of(command_);
    const auto room = intake_->room_for(frame_bytes) + topic.name.size();
    const auto most = intake_->most_room_for(request, topic, frame_bytes);
    const auto entry_limit = std::min(limits::entry_target_bytes, environment_->intake.max_entry_bytes);
    const auto decided = broker::command_footprint(decisions_.size() * broker::most_decision_bytes);
    if (!draft_.empty() && draft_.size() + decided + most > entry_limit)
        flush_draft();
    if (draft_.empty())
        draft_ =
            broker::entry_draft{std::clamp(turn_bytes_, room, std::max(limits::entry_target_bytes, room))};
    pending_send send{to, command_.is_oneway(), {}, static_cast<std::uint32_t>(gathering_.places.size()), 0,
                      {}};
    broker::taken_send taken;
    if (const auto why =
            intake_->take(request, topic, born_host_, spread_++, draft_, gathering_.places, taken)) {
        gathering_.places.resize(send.first_place);
        return refuse(to, send.oneway, *why);
    }
    send.queue = taken.queue;
    send.messages = taken.messages;
    if (taken.recall_at > timestamp_ms{0})
        send.recall_handle = protocol::make_recall_handle(
            {topic.name, environment_->config->broker_name, taken.recall_at, taken.recall_key});
    gathering_.sends.push_back(std::move(send));
}

std::optional<broker::refusal> producer_session_state::unwilling() const {
    if (!environment_->health->takes_messages())
        return broker::refusal{response_code::service_not_available, environment_->health->reason()};
    if ((environment_->config->broker_permission & broker::permission::write) == 0)
        return broker::refusal{response_code::no_permission,
                               "this broker takes no messages: brokerPermission has no write bit"};
    return too_much_in_flight(*environment_);
}

const broker::topic_config* producer_session_state::find_topic(std::string_view name) {
    if (const auto version = environment_->view->topics_version(); version != topics_version_) {
        topics_.clear();
        last_topic_.reset();
        topics_version_ = version;
    }
    if (last_topic_ && last_topic_->name == name)
        return last_topic_.get();
    auto key = std::string{name};
    auto found = topics_.find(key);
    if (found == topics_.end()) {
        auto topic = environment_->view->find_topic(name);
        if (!topic)
            return nullptr;
        found = topics_.emplace(std::move(key), std::move(topic)).first;
    }
    last_topic_ = found->second;
    return last_topic_.get();
}

void producer_session_state::flush_draft() {
    write_decisions();
    if (draft_.empty())
        return;
    gathering_.ticket = next_ticket_++;
    gathering_.bytes = draft_.size();
    unanswered_ += gathering_.sends.size() + gathering_.decisions;
    environment_->counters->bytes_in_flight.fetch_add(gathering_.bytes, std::memory_order_relaxed);
    auto request = std::make_shared<append_request>();
    request->draft = std::exchange(draft_, broker::entry_draft{});
    request->ticket = gathering_.ticket;
    request->appender = self_;
    in_flight_.push_back(std::exchange(gathering_, pending_batch{}));
    self_->send(environment_->log, append_atom::value, std::move(request));
}

void producer_session_state::outcomes(const std::vector<batch_outcome>& outcomes) {
    for (const auto& outcome : outcomes) {
        if (const auto creation = creations_.find(outcome.ticket); creation != creations_.end()) {
            const auto ended = std::move(creation->second);
            creations_.erase(creation);
            creation_ended(ended, outcome);
            continue;
        }
        const auto batch =
            std::find_if(in_flight_.begin(), in_flight_.end(),
                         [&](const pending_batch& candidate) { return candidate.ticket == outcome.ticket; });
        HOLDFAST_CHECK(batch != in_flight_.end());
        environment_->counters->bytes_in_flight.fetch_sub(batch->bytes, std::memory_order_relaxed);
        unanswered_ -= batch->sends.size() + batch->decisions;
        if (!closed_)
            answer_batch(*batch, outcome);
        in_flight_.erase(batch);
    }
    flush_draft();
    send_answers();
    resume_if_drained();
    if (closed_ && in_flight_.empty() && creations_.empty())
        self_->quit();
}

void producer_session_state::answer_batch(const pending_batch& batch, const batch_outcome& outcome) {
    // Nobody knows whether they are in the log: no answer is better than any.
    if (is_fate_unknown(outcome.failure)) {
        send_answers();
        return connection_->close_after_flush(outcome.failure->message);
    }
    if (outcome.failure) {
        for (const auto& send : batch.sends)
            refuse(send.answer, send.oneway, refusal_of(*outcome.failure));
        return answer_decisions(batch, outcome, 0);
    }
    environment_->counters->messages_put.fetch_add(batch.places.size(), std::memory_order_relaxed);
    std::size_t offset = 0;
    for (const auto& send : batch.sends) {
        if (!send.oneway)
            answer_send(batch, send, outcome, offset);
        offset += send.messages;
    }
    answer_decisions(batch, outcome, offset);
}

void producer_session_state::answer_send(const pending_batch& batch, const pending_send& send,
                                         const batch_outcome& outcome, std::size_t first_offset) {
    if (outcome.offsets[first_offset] < queue_offset{0})
        return refuse(
            send.answer, false,
            {response_code::topic_not_exist, "the topic was deleted before the message was stored"});
    const auto& host = environment_->intake.store_host;
    ids_.resize(send.messages * (protocol::message_id_chars + 1) - 1);
    for (std::uint32_t i = 0; i < send.messages; ++i) {
        auto* const to = ids_.data() + i * (protocol::message_id_chars + 1);
        protocol::write_message_id(to, host, outcome.position + batch.places[send.first_place + i]);
        if (i + 1 < send.messages)
            to[protocol::message_id_chars] = ',';
    }
    protocol::send_message_response answer;
    answer.message_id = ids_;
    answer.queue_id = static_cast<std::int32_t>(send.queue.value());
    answer.offset = outcome.offsets[first_offset];
    answer.recall_handle = send.recall_handle;
    answer.region = environment_->config->region_id;
    answer.trace_on = environment_->config->trace_on;
    protocol::append_send_answer(answers_, send.answer, answer);
}

void producer_session_state::refuse(const protocol::answer_to& to, bool oneway, const broker::refusal& why) {
    spdlog::debug("{} refused a send with code {}: {}", connection_->peer().text, static_cast<int>(why.code),
                  why.remark);
    if (oneway)
        return;
    protocol::append_response(
        answers_, to,
        protocol::send_message_failure{environment_->config->region_id, environment_->config->trace_on}, {},
        why.code, why.remark);
}

void producer_session_state::send_answers() {
    if (!answers_.empty())
        connection_->send(answers_.release());
}

// Protocol reference 6.2: a first send makes its topic from a template that may be inherited.
std::optional<broker::topic_config>
producer_session_state::template_for(const protocol::send_message_request& request) const {
    const auto& config = *environment_->config;
    broker::topic_config made;
    made.name = request.topic;
    if (protocol::is_dead_letter_topic(request.topic)) {
        made.read_queues = made.write_queues = 1;
        return made;
    }
    std::uint32_t most_queues = 0;
    if (request.default_topic == protocol::auto_create_topic) {
        if (!config.auto_create_topics)
            return std::nullopt;
        most_queues = config.default_topic_queues;
    } else {
        const auto pattern = environment_->view->find_topic(request.default_topic);
        if (!pattern || (pattern->permissions & broker::permission::inherit) == 0)
            return std::nullopt;
        most_queues = pattern->write_queues;
        made.permissions = pattern->permissions & ~broker::permission::inherit;
    }
    const auto wanted = std::max(request.default_topic_queue_count, 1);
    made.read_queues = made.write_queues = std::min(static_cast<std::uint32_t>(wanted), most_queues);
    return made;
}

bool producer_session_state::is_being_made(std::string_view topic) const {
    return std::any_of(creations_.begin(), creations_.end(),
                       [&](const auto& creation) { return creation.second.topic == topic; });
}

void producer_session_state::hold_for_creation(const network::frame_batch& frames, std::uint32_t index,
                                               const protocol::send_message_request& request) {
    const auto to = protocol::answer_to::of(command_);
    for (auto& [ticket, creation] : creations_) {
        if (creation.topic == request.topic)
            return hold(creation, frames, index);
    }
    const auto config = template_for(request);
    if (!config)
        return refuse(
            to, command_.is_oneway(),
            {response_code::topic_not_exist, "the topic " + std::string{request.topic} +
                                                 " does not exist and may not be made by a send: create "
                                                 "it first, or set autoCreateTopicEnable = true"});
    if (const auto why = no_room_for_topic(*environment_, config->name))
        return refuse(to, command_.is_oneway(), *why);
    const auto ticket = next_ticket_++;
    auto creation = std::make_shared<append_request>();
    creation->draft.add(broker::command_kind::topic_create, broker::encode(*config));
    creation->ticket = ticket;
    creation->appender = self_;
    auto& held_by = creations_[ticket];
    held_by.topic = config->name;
    hold(held_by, frames, index);
    self_->send(environment_->log, append_atom::value, std::move(creation));
}

// What waits here counts like what is on its way to the disk: a slow disk must not fill the memory.
void producer_session_state::hold(topic_creation& creation, const network::frame_batch& frames,
                                  std::uint32_t index) {
    creation.held.push_back({frames, index});
    creation.bytes += frames.view(index).size();
    ++unanswered_;
    environment_->counters->bytes_in_flight.fetch_add(frames.view(index).size(), std::memory_order_relaxed);
}

void producer_session_state::creation_ended(const topic_creation& creation, const batch_outcome& outcome) {
    unanswered_ -= creation.held.size();
    environment_->counters->bytes_in_flight.fetch_sub(creation.bytes, std::memory_order_relaxed);
    if (closed_)
        return;
    if (!outcome.failure)
        spdlog::info("made the topic {} on the first send of {}", creation.topic, connection_->peer().text);
    for (const auto& held : creation.held) {
        if (!outcome.failure) {
            turn_bytes_ = intake_->room_for(held.frames.view(held.index).size());
            handle(held.frames, held.index);
            continue;
        }
        if (decode_frame(held.frames, held.index, *connection_, command_))
            refuse(protocol::answer_to::of(command_), command_.is_oneway(),
                   {response_code::service_not_available, outcome.failure->message});
    }
}

void producer_session_state::pause_if_full() {
    if (unanswered_ <= environment_->config->max_requests_in_flight)
        return;
    // Said again while frames still come: the connection's other session may have resumed it.
    paused_ = true;
    connection_->pause_reading();
}

void producer_session_state::resume_if_drained() {
    if (!paused_ || unanswered_ > environment_->config->max_requests_in_flight / 2)
        return;
    paused_ = false;
    connection_->resume_reading();
}

// What was appended stays appended: the client is gone, its messages are not.
void producer_session_state::closed() {
    closed_ = true;
    if (in_flight_.empty() && creations_.empty())
        self_->quit();
}

producer_session_actor::behavior_type
producer_session(producer_session_actor::stateful_pointer<producer_session_state> self,
                 connection_ptr connection, std::shared_ptr<const session_environment> environment) {
    self->state.set_up(self, std::move(connection), std::move(environment));
    return {
        [self](frames_atom, const session_frames_ptr& received) { self->state.frames(*received); },
        [self](outcome_atom, const batch_outcomes_ptr& outcomes) { self->state.outcomes(*outcomes); },
        [self](closed_atom) { self->state.closed(); },
    };
}

} // namespace holdfast::actors
