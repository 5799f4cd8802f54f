#include "broker/message_intake.hpp"

#include "protocol/batch.hpp"
#include "protocol/names.hpp"
#include "protocol/properties.hpp"
#include "protocol/stored_message.hpp"
#include "protocol/tags.hpp"

#include <algorithm>
#include <utility>

namespace holdfast::broker {
namespace {

using protocol::response_code;
namespace property = protocol::property;

// What sysFlag may say in a stored message; the rest is the broker's own business or not known here.
constexpr std::int32_t storable_flags =
    protocol::sys_flag::compressed | protocol::sys_flag::multi_tags | protocol::sys_flag::born_host_ipv6 |
    protocol::sys_flag::store_host_ipv6 | protocol::sys_flag::compression_mask;

refusal not_supported(std::string_view what) {
    return {response_code::request_code_not_supported,
            std::string{what} + " are not supported by this broker yet"};
}

refusal illegal(std::string why) {
    return {response_code::message_illegal, std::move(why)};
}

} // namespace

message_intake::message_intake(intake_settings settings) : settings_(std::move(settings)) {
    protocol::append_property(cluster_property_, property::cluster, settings_.cluster_name);
    fixed_room_ = command_footprint(protocol::stored_message_fixed_bytes) + cluster_property_.size() + 1;
}

std::size_t message_intake::most_room_for(const protocol::send_message_request& request,
                                          const topic_config& topic, std::size_t frame_bytes) const {
    const auto messages =
        request.is_batch ? request.body.size() / protocol::batch_message_fixed_bytes + 1 : std::size_t{1};
    return frame_bytes + messages * (fixed_room_ + topic.name.size());
}

std::optional<refusal> message_intake::check_request(const protocol::send_message_request& request) {
    if (const auto named = protocol::check_topic_name(request.topic); !named.ok())
        return refusal{response_code::system_error, named.failure().message};
    if (protocol::is_forbidden_to_send(request.topic))
        return refusal{response_code::no_permission, "the topic " + std::string{request.topic} +
                                                         " belongs to the broker; choose another name"};
    if (protocol::is_retry_topic(request.topic) || protocol::is_dead_letter_topic(request.topic))
        return not_supported("sends to retry and dead-letter topics");
    if ((request.sys_flag & protocol::sys_flag::transaction_mask) != 0)
        return not_supported("transactional messages");
    if ((request.sys_flag & ~(storable_flags | protocol::sys_flag::transaction_mask)) != 0)
        return illegal("sysFlag " + std::to_string(request.sys_flag) + " has bits that a client may not set");
    return std::nullopt;
}

message_intake::scanned_properties message_intake::scan(std::string_view properties) {
    scanned_properties found{properties, 0, std::nullopt};
    bool has_wait = false;
    for (const auto& [name, value] : protocol::properties_view{properties}) {
        switch (name.front()) {
        case 'T':
            if (name == property::tags)
                found.tags = protocol::java_hash(value);
            else if (name == property::transaction_message && value == "true")
                found.unsupported = not_supported("transactional messages");
            else if (name == property::timer_delay_s || name == property::timer_delay_ms ||
                     name == property::timer_deliver_ms)
                found.unsupported = not_supported("delayed messages");
            break;
        case 'D':
            if (name == property::delay && value != "0")
                found.unsupported = not_supported("delayed messages");
            break;
        case 'W':
            has_wait = has_wait || name == property::wait;
            break;
        default:
            break;
        }
    }
    // WAIT speaks to the broker, not to consumers. Group commit makes waiting free, so every message waits.
    if (has_wait) {
        scratch_.clear();
        for (const auto& [name, value] : protocol::properties_view{properties}) {
            if (name == property::wait)
                continue;
            scratch_.append(name).push_back(protocol::name_separator);
            scratch_.append(value).push_back(protocol::property_separator);
        }
        found.text = scratch_;
    }
    return found;
}

std::optional<refusal> message_intake::take(const protocol::send_message_request& request,
                                            const topic_config& topic, const protocol::ipv4_host& born_host,
                                            std::uint32_t spread, entry_draft& draft,
                                            std::vector<std::uint32_t>& places, taken_send& taken) {
    if (!topic.writable())
        return refusal{response_code::no_permission, "the topic " + topic.name + " may not be written to"};
    const auto queues = std::max(topic.read_queues, topic.write_queues);
    if (request.queue_id >= 0 && static_cast<std::uint32_t>(request.queue_id) >= queues)
        return refusal{response_code::system_error,
                       "queueId " + std::to_string(request.queue_id) + " is outside the topic " + topic.name +
                           ", which has " + std::to_string(topic.write_queues) + " queues"};
    if (request.body.size() > settings_.max_message_bytes)
        return illegal("the body has " + std::to_string(request.body.size()) +
                       " bytes, more than maxMessageSize " + std::to_string(settings_.max_message_bytes));
    taken.queue = request.queue_id >= 0 ? queue_number{static_cast<std::uint32_t>(request.queue_id)}
                                        : queue_number{spread % std::max(topic.write_queues, 1U)};
    if (request.is_batch)
        return take_batch(request, topic, born_host, draft, places, taken);
    if (auto refused = add(request, topic, born_host, taken.queue, request.flag, request.body,
                           request.properties, draft, places))
        return refused;
    taken.messages = 1;
    return std::nullopt;
}

// All or nothing: everything is checked before the first record is written (T12, T19).
std::optional<refusal> message_intake::take_batch(const protocol::send_message_request& request,
                                                  const topic_config& topic,
                                                  const protocol::ipv4_host& born_host, entry_draft& draft,
                                                  std::vector<std::uint32_t>& places, taken_send& taken) {
    const auto count = protocol::check_batch(request.body);
    if (!count.ok())
        return illegal("the batch is malformed: " + count.failure().message);
    const auto room = request.body.size() + *count * (fixed_room_ + topic.name.size());
    if (room > settings_.max_entry_bytes)
        return illegal("a batch of " + std::to_string(*count) + " messages takes " + std::to_string(room) +
                       " bytes in the log, more than the " + std::to_string(settings_.max_entry_bytes) +
                       " that are written at once; send smaller batches");
    const auto first_check = protocol::batch_reader{request.body};
    auto checking = first_check;
    while (auto message = checking.next()) {
        const auto scanned = scan((*message)->properties);
        if (scanned.unsupported)
            return scanned.unsupported;
        const auto fits = protocol::check_properties_size(scanned.text, cluster_property_.size() + 1);
        if (!fits.ok())
            return illegal(fits.failure().message);
    }
    auto reading = first_check;
    while (auto message = reading.next()) {
        if (auto refused = add(request, topic, born_host, taken.queue, (*message)->flag, (*message)->body,
                               (*message)->properties, draft, places))
            return refused;
    }
    taken.messages = static_cast<std::uint32_t>(*count);
    return std::nullopt;
}

std::optional<refusal> message_intake::add(const protocol::send_message_request& request,
                                           const topic_config& topic, const protocol::ipv4_host& born_host,
                                           queue_number queue, std::int32_t flag, byte_view body,
                                           std::string_view properties, entry_draft& draft,
                                           std::vector<std::uint32_t>& places) {
    auto scanned = scan(properties);
    if (scanned.unsupported)
        return std::move(scanned.unsupported);
    protocol::stored_message message;
    message.queue = queue;
    message.flag = flag;
    message.sys_flag = request.sys_flag | (topic.multi_tags ? protocol::sys_flag::multi_tags : 0);
    message.born = request.born;
    message.born_host = born_host;
    message.store_host = settings_.store_host;
    message.reconsume_times = std::max(request.reconsume_times, 0);
    message.body = body;
    message.topic = topic.name;
    message.properties = scanned.text;
    message.more_properties = cluster_property_;
    if (const auto fits = message.check(); !fits.ok())
        return illegal(fits.failure().message);
    places.push_back(static_cast<std::uint32_t>(draft.next_payload()));
    const auto to = draft.add_message({topic.id, queue}, scanned.tags, message.size());
    protocol::write_stored_message(to.data(), message);
    return std::nullopt;
}

} // namespace holdfast::broker
