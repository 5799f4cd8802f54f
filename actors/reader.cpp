#include "actors/reader.hpp"

#include "actors/explain.hpp"
#include "actors/frame_decoding.hpp"
#include "actors/limits.hpp"
#include "actors/pull_check.hpp"
#include "actors/repeated_decision.hpp"
#include "actors/visible_record.hpp"
#include "protocol/names.hpp"
#include "protocol/properties.hpp"
#include "protocol/stored_message.hpp"

#include <algorithm>
#include <spdlog/spdlog.h>
#include <utility>

namespace holdfast::actors {

using protocol::request_code;
using protocol::response_code;

void reader_state::set_up(reader_actor::pointer self,
                          std::shared_ptr<const session_environment> environment) {
    self_ = self;
    environment_ = std::move(environment);
    puller_.emplace(*environment_, storage::queue_index::source::memory_and_disk);
    follower_puller_.emplace(*environment_, storage::queue_index::source::memory_and_disk,
                             pull_role::follower);
}

void reader_state::read(const read_job& job) {
    if (reader_load::is_abandoned(job.slot))
        return;
    if (!decode_frame(job.frames, job.frame, *job.connection, command_))
        return;
    as_follower_ = job.as_follower;
    switch (command_.request()) {
    case request_code::search_offset_by_timestamp:
        search_offset();
        break;
    case request_code::get_earliest_message_store_time:
        earliest_store_time();
        break;
    case request_code::view_message_by_id:
        view_message();
        break;
    case request_code::query_message:
        query_message();
        break;
    case request_code::explain_message:
        explain(job);
        break;
    case request_code::end_transaction:
        repeated_decision(*environment_, command_, answers_);
        break;
    default:
        if (as_follower_)
            pull_as_follower(job);
        else
            pull();
        break;
    }
    send_answers(*job.connection);
}

void reader_state::send_answers(network::connection& to) {
    if (!answers_.empty())
        to.send(answers_.release());
}

void reader_state::pull() {
    const auto to = protocol::answer_to::of(command_);
    const auto request = protocol::decode_header<protocol::pull_message_request>(command_);
    broker::refusal refused{response_code::system_error, "malformed"};
    const auto checked = request.ok() ? check_pull(*request, *environment_, refused) : std::nullopt;
    if (!checked)
        return protocol::append_failure(answers_, to, refused.code, refused.remark);
    if (puller_->read(checked->range, checked->filter, to, answers_) != pull_outcome::answered)
        puller_->answer_nothing_new(checked->range, to, answers_);
}

result<storage::queue_index_entry> reader_state::entry_at(queue_key queue, queue_offset offset) {
    const auto read = environment_->view->queues().read(
        queue, offset, 1, storage::queue_index::source::memory_and_disk, entries_);
    if (!read.ok())
        return read.failure();
    if (entries_.empty())
        return error{errc::not_found, "there is no message at offset " + std::to_string(offset.value())};
    return entries_.front();
}

result<timestamp_ms> reader_state::store_time_at(queue_key queue, queue_offset offset) {
    const auto where = entry_at(queue, offset);
    if (!where.ok())
        return where.failure();
    if (where->by_reference != 0) {
        const auto settled = environment_->view->deliveries().find(where->position);
        if (!settled.ok())
            return settled.failure();
        if (!*settled)
            return error{errc::not_found, "it is not known what brought the record at position " +
                                              std::to_string(where->position.value()) + " into its queue"};
        return (*settled)->when;
    }
    const auto entry = environment_->reader->entry_containing(where->position);
    if (!entry.ok())
        return unreadable(*environment_, entry.failure(), where->position);
    const auto at = where->position - entry->position;
    if (at + where->size > entry->entry.size())
        return error{errc::corrupted, "a record reaches behind its entry at position " +
                                          std::to_string(entry->position.value())};
    return timestamp_ms{
        load_big<std::int64_t>(entry->entry.data() + at + protocol::stored_message_at::store_timestamp)};
}

// Store times never fall along a queue.
result<queue_offset> reader_state::first_at_or_after(queue_key queue, storage::queue_bounds bounds,
                                                     timestamp_ms time) {
    auto low = bounds.first;
    auto high = bounds.last;
    while (low < high) {
        const auto middle = low + (high - low) / 2;
        const auto stored = store_time_at(queue, middle);
        if (!stored.ok())
            return stored.failure();
        if (*stored < time)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// Protocol reference 3.4, as 5.x answers: the first message stored at or after the time, or the end of the
// queue. (4.9 takes the nearest instead, which can skip messages.)
void reader_state::search_offset() {
    const auto to = protocol::answer_to::of(command_);
    const auto request = protocol::decode_header<protocol::search_offset_request>(command_);
    if (!request.ok())
        return fail(request.failure());
    const auto topic = environment_->view->find_topic(request->topic);
    if (!topic)
        return fail({errc::not_found, "the topic " + std::string{request->topic} + " does not exist"});
    const queue_key queue{topic->id, request->queue};
    const auto bounds = environment_->view->queues().bounds(queue);
    const auto found = first_at_or_after(queue, bounds, request->timestamp);
    if (!found.ok())
        return fail(found.failure());
    protocol::append_response(answers_, to, protocol::offset_response{*found});
}

caf::result<std::int64_t> reader_state::offset_at(queue_key queue, timestamp_ms time) {
    const auto found = first_at_or_after(queue, environment_->view->queues().bounds(queue), time);
    if (!found.ok())
        return caf::make_error(caf::sec::runtime_error, found.failure().message);
    return found->value();
}

void reader_state::earliest_store_time() {
    const auto to = protocol::answer_to::of(command_);
    const auto request = protocol::decode_header<protocol::get_earliest_store_time_request>(command_);
    if (!request.ok())
        return fail(request.failure());
    protocol::store_time_response answer;
    if (const auto topic = environment_->view->find_topic(request->topic)) {
        const queue_key queue{topic->id, request->queue};
        const auto bounds = environment_->view->queues().bounds(queue);
        if (bounds.first < bounds.last) {
            const auto stored = store_time_at(queue, bounds.first);
            if (!stored.ok())
                return fail(stored.failure());
            answer.timestamp = *stored;
        }
    }
    protocol::append_response(answers_, to, answer);
}

result<std::optional<std::vector<std::byte>>> reader_state::complete_record(log_position position) {
    using nothing = std::optional<std::vector<std::byte>>;
    auto found = find_visible_record(*environment_, position);
    if (!found.ok())
        return found.failure();
    return *found ? nothing{std::move((*found)->bytes)} : nothing{};
}

void reader_state::view_message() {
    const auto to = protocol::answer_to::of(command_);
    const auto request = protocol::decode_header<protocol::view_message_request>(command_);
    if (!request.ok())
        return fail(request.failure());
    const auto record = complete_record(request->offset);
    if (!record.ok())
        return fail(record.failure());
    if (!*record)
        return fail(
            {errc::not_found, "there is no message at position " + std::to_string(request->offset.value())});
    protocol::append_success(answers_, to, **record);
}

namespace {

// A half that was given up is shown in another topic than the one it was sent to.
bool belongs_to(const protocol::stored_message_view& message, std::string_view topic) {
    return message.topic == topic || (message.topic == protocol::check_exhausted_topic &&
                                      message.property(protocol::property::real_topic) == topic);
}

bool carries_key(const protocol::stored_message_view& message, std::string_view key, bool unique) {
    if (unique)
        return message.property(protocol::property::unique_key) == key;
    auto words = message.property(protocol::property::keys).value_or("");
    while (!words.empty()) {
        const auto end = words.find(' ');
        if (words.substr(0, end) == key)
            return true;
        words = end == std::string_view::npos ? std::string_view{} : words.substr(end + 1);
    }
    return message.property(protocol::property::unique_key) == key;
}

} // namespace

void reader_state::query_message() {
    const auto to = protocol::answer_to::of(command_);
    const auto request = protocol::decode_header<protocol::query_message_request>(command_);
    if (!request.ok())
        return fail(request.failure());
    auto* const keys = environment_->keys->load(std::memory_order_acquire);
    if (keys == nullptr)
        return fail({errc::unavailable, "the key index is being opened, try again in a moment"});
    const auto most = std::clamp(request->is_unique_key ? std::int32_t{32} : request->max_messages, 1,
                                 static_cast<std::int32_t>(environment_->config->max_query_messages));
    const auto found = keys->find(storage::hash_key(request->topic, request->key), request->begin,
                                  request->end, static_cast<std::size_t>(most));
    if (!found.ok())
        return fail(found.failure());
    byte_buffer records;
    for (const auto& candidate : *found) {
        const auto record = complete_record(candidate.position);
        if (!record.ok())
            return fail(record.failure());
        if (!*record)
            continue;
        const auto message = protocol::decode_stored_message(**record);
        if (!message.ok() || !belongs_to(*message, request->topic) ||
            !carries_key(*message, request->key, request->is_unique_key))
            continue;
        if (!records.empty() && records.size() + (*record)->size() > limits::max_query_bytes)
            break;
        records.append(byte_view{**record});
    }
    if (records.empty() && as_follower_)
        return fail({errc::not_found, "no message with this key is here"});
    if (records.empty())
        return protocol::append_failure(answers_, to, response_code::query_not_found,
                                        "no message with this key in the topic " +
                                            std::string{request->topic});
    protocol::query_message_response answer;
    answer.index_last_update = environment_->wall_clock();
    answer.index_last_update_position = static_cast<std::int64_t>(keys->indexed_until().value());
    protocol::append_response(answers_, to, answer, records.view());
}

// What only the commit log knows is asked of it, and then everything is looked at anew.
void reader_state::explain(const read_job& job) {
    const auto to = protocol::answer_to::of(command_);
    const auto request = protocol::decode_header<protocol::explain_request>(command_);
    if (!request.ok())
        return fail(request.failure());
    std::optional<log_position> undecided;
    const auto page = explainer{
        *environment_, [&](log_position half) -> std::optional<broker::half_message> {
            undecided = half;
            return std::nullopt;
        }}.explain(request->key, request->topic);
    if (!page.ok())
        return fail(page.failure());
    if (!undecided)
        return protocol::append_success(answers_, to, as_bytes(*page));
    auto query = std::make_shared<half_query>();
    query->due.push_back(*undecided);
    const auto answer = [environment = environment_, connection = job.connection, slot = job.slot, to,
                         key = std::string{request->key},
                         topic = std::string{request->topic}](std::optional<broker::half_message> half) {
        const auto full = explainer{*environment, [&](log_position) { return half; }}.explain(key, topic);
        byte_buffer out;
        if (full.ok())
            protocol::append_success(out, to, as_bytes(*full));
        else
            protocol::append_failure(out, to, response_code::system_error, full.failure().message);
        connection->send(out.release());
    };
    self_->request(environment_->log, caf::infinite, halves_atom::value, half_query_ptr{std::move(query)})
        .then(
            [answer](const half_report_ptr& report) {
                answer(report->undecided.empty() ? std::nullopt : std::optional{report->undecided.front()});
            },
            [answer](const caf::error&) { answer(std::nullopt); });
}

// What a follower does not find the leader may have.
void reader_state::fail(const error& why) {
    spdlog::debug("refused request {}: {}", command_.code(), why.message);
    const auto to = protocol::answer_to::of(command_);
    if (as_follower_)
        protocol::append_failure(answers_, to, response_code::service_not_available,
                                 why.message + "; this node does not lead its group, ask the leader");
    else
        protocol::append_failure(answers_, to, response_code::system_error, why.message);
}

reader_actor::behavior_type reader(reader_actor::stateful_pointer<reader_state> self,
                                   std::shared_ptr<const session_environment> environment) {
    self->state.set_up(self, std::move(environment));
    return {[self](read_atom, const read_job_ptr& job) { self->state.read(*job); },
            [self](tick_atom) { self->state.tick(); },
            [self](query_atom, queue_key queue, timestamp_ms time) {
                return self->state.offset_at(queue, time);
            }};
}

} // namespace holdfast::actors
