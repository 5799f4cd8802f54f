// The fake broker's transactions, send-backs and locks.
#include "tests/client/fake_broker.hpp"

#include "tests/client/fake_session.hpp"

#include "protocol/message_id.hpp"
#include "protocol/queue_bodies.hpp"
#include "protocol/stored_message.hpp"

#include <boost/asio/post.hpp>

namespace holdfast::client::testing {

using protocol::answer_to;
using protocol::request_code;
using protocol::response_code;
using protocol::transaction_end;

namespace {

void fail(const session_ptr& session, const protocol::remoting_command& command, response_code code,
          std::string_view remark) {
    byte_buffer out;
    protocol::append_failure(out, answer_to::of(command), code, remark);
    session->write(out.view());
}

void succeed(const session_ptr& session, const protocol::remoting_command& command, byte_view body = {}) {
    byte_buffer out;
    protocol::append_success(out, answer_to::of(command), body);
    if (!command.is_oneway())
        session->write(out.view());
}

} // namespace

void fake_broker::serve_half(const session_ptr& session, const protocol::remoting_command& command,
                             const protocol::send_message_request& request) {
    halves_.push_back({.topic = std::string{request.topic},
                       .queue = static_cast<std::uint32_t>(request.queue_id),
                       .body = std::string{as_text(request.body)},
                       .properties = std::string{request.properties},
                       .sys_flag = request.sys_flag,
                       .position = position_,
                       .group = std::string{request.producer_group}});
    const std::string id = protocol::make_message_id({0x7F000001, port_}, log_position{position_});
    position_ += 100;
    byte_buffer out;
    protocol::append_response(
        out, answer_to::of(command),
        protocol::send_message_response{.message_id = id,
                                        .queue_id = request.queue_id,
                                        .offset = queue_offset{static_cast<std::int64_t>(halves_.size()) - 1},
                                        .transaction_id = {}});
    session->write(out.view());
}

void fake_broker::serve_end(const session_ptr& session, const protocol::remoting_command& command) {
    const auto request = protocol::decode_header<protocol::end_transaction_request>(command);
    if (!request)
        return fail(session, command, response_code::system_error, request.failure().message);
    ends_.push_back({.group = std::string{request->producer_group},
                     .number = request->state_table_offset.value(),
                     .position = request->commit_log_offset.value(),
                     .verdict = request->verdict,
                     .from_check = request->from_check,
                     .oneway = command.is_oneway(),
                     .message_id = std::string{request->message_id},
                     .transaction_id = std::string{request->transaction_id}});
    if (request->verdict == transaction_end::unknown)
        return;
    const auto number = static_cast<std::size_t>(request->state_table_offset.value());
    if (number >= halves_.size() || halves_[number].position != request->commit_log_offset.value() ||
        halves_[number].group != request->producer_group)
        return fail(session, command, response_code::system_error, "no such half message");
    fake_half& half = halves_[number];
    if (half.decision == transaction_end::unknown) {
        half.decision = request->verdict;
        if (half.decision == transaction_end::commit) {
            append(half.topic, half.queue, half.body, half.properties,
                   half.sys_flag & ~protocol::sys_flag::transaction_mask);
            wake(half.topic, half.queue);
        }
    }
    succeed(session, command);
}

void fake_broker::check_half(std::size_t number) {
    boost::asio::post(io_, [this, number] {
        const std::lock_guard lock{mutex_};
        const fake_half& half = halves_.at(number);
        const protocol::stored_message message{.queue = queue_number{half.queue},
                                               .offset = queue_offset{static_cast<std::int64_t>(number)},
                                               .position = log_position{half.position},
                                               .sys_flag = half.sys_flag,
                                               .body = as_bytes(half.body),
                                               .topic = half.topic,
                                               .properties = half.properties,
                                               .more_properties = {}};
        std::string record(message.size(), '\0');
        protocol::write_stored_message(reinterpret_cast<std::byte*>(record.data()), message);
        const std::string_view id =
            protocol::find_property(half.properties, protocol::property::unique_key).value_or("");
        byte_buffer out;
        protocol::append_request(out, {.opaque = 7'000'002, .oneway = true, .remark = {}},
                                 protocol::check_transaction_state_request{
                                     .state_table_offset = queue_offset{static_cast<std::int64_t>(number)},
                                     .commit_log_offset = log_position{half.position},
                                     .message_id = id,
                                     .transaction_id = id},
                                 as_bytes(record));
        for (const session_ptr& each : producers_[half.group])
            each->write(out.view());
    });
}

std::vector<fake_half> fake_broker::halves() const {
    const std::lock_guard lock{mutex_};
    return halves_;
}

std::vector<fake_end> fake_broker::ends() const {
    const std::lock_guard lock{mutex_};
    return ends_;
}

std::size_t fake_broker::producers(const std::string& group) const {
    const std::lock_guard lock{mutex_};
    const auto found = producers_.find(group);
    return found == producers_.end() ? 0 : found->second.size();
}

void fake_broker::serve_send_back(const session_ptr& session, const protocol::remoting_command& command) {
    const auto request = protocol::decode_header<protocol::consumer_send_message_back_request>(command);
    if (!request)
        return fail(session, command, response_code::system_error, request.failure().message);
    send_backs_.push_back({.position = request->offset.value(),
                           .group = std::string{request->group},
                           .level = request->delay_level,
                           .origin_message_id = std::string{request->origin_message_id},
                           .origin_topic = std::string{request->origin_topic},
                           .max_reconsume_times = request->max_reconsume_times});
    for (const auto& [queue, kept] : logs_)
        for (const std::string& record : kept.records) {
            const auto old = protocol::decode_stored_message(as_bytes(record));
            if (static_cast<std::uint64_t>(old->physical_offset) != request->offset.value())
                continue;
            const bool is_dead =
                request->delay_level < 0 || old->reconsume_times >= request->max_reconsume_times.value_or(16);
            const std::string to = (is_dead ? "%DLQ%" : "%RETRY%") + std::string{request->group};
            std::string properties{old->properties};
            if (!old->property(protocol::property::retry_topic))
                protocol::append_property(properties, protocol::property::retry_topic, old->topic);
            // A copy: appending may move the records we walk over.
            const std::string body{as_text(old->body)};
            append(to, 0, body, properties, old->sys_flag, old->reconsume_times + 1);
            wake(to, 0);
            return succeed(session, command);
        }
    fail(session, command, response_code::system_error, "no message there");
}

std::vector<fake_send_back> fake_broker::send_backs() const {
    const std::lock_guard lock{mutex_};
    return send_backs_;
}

void fake_broker::serve_locks(const session_ptr& session, const protocol::remoting_command& command) {
    const auto request = protocol::decode_lock_batch(command.body());
    if (!request)
        return fail(session, command, response_code::system_error, request.failure().message);
    const bool locks = command.request() == request_code::lock_batch_mq;
    std::vector<protocol::message_queue> held;
    for (const protocol::message_queue& each : request->queues) {
        std::string& owner =
            locks_[{request->consumer_group, {each.topic, static_cast<std::uint32_t>(each.queue_id)}}];
        if (!owner.empty() && owner != request->client_id)
            continue;
        owner = locks ? request->client_id : "";
        held.push_back(each);
    }
    succeed(session, command, locks ? as_bytes(protocol::encode_locked_queues(held)) : byte_view{});
}

std::string fake_broker::lock_owner(const std::string& group, const std::string& topic,
                                    std::uint32_t queue) const {
    const std::lock_guard lock{mutex_};
    const auto found = locks_.find({group, {topic, queue}});
    return found == locks_.end() ? "" : found->second;
}

void fake_broker::set_lock(const std::string& group, const std::string& topic, std::uint32_t queue,
                           const std::string& client_id) {
    const std::lock_guard lock{mutex_};
    locks_[{group, {topic, queue}}] = client_id;
}

} // namespace holdfast::client::testing
