#include "broker/message_intake.hpp"

#include "broker/delivery_records.hpp"
#include "broker/served_record.hpp"
#include "protocol/batch.hpp"
#include "protocol/names.hpp"
#include "protocol/properties.hpp"
#include "protocol/stored_message.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace holdfast::broker {
namespace {

using protocol::response_code;
namespace property = protocol::property;

// What sysFlag may say in a stored message; the rest is the broker's own business or not known here.
constexpr std::int32_t storable_flags =
    protocol::sys_flag::compressed | protocol::sys_flag::multi_tags | protocol::sys_flag::born_host_ipv6 |
    protocol::sys_flag::store_host_ipv6 | protocol::sys_flag::compression_mask;

// What the broker's own properties may need in the course of a message's life: CLUSTER, and REAL_TOPIC,
// REAL_QID, RETRY_TOPIC, ORIGIN_MESSAGE_ID and DELAY when it is delayed or sent back (T20). Our client keeps
// as much free.
constexpr std::size_t broker_properties_bytes = 512;

// As stock clients check it themselves; some requests name no group at all.
bool is_producer_group(std::string_view name) {
    if (name.size() > protocol::limits::max_stored_group_bytes)
        return false;
    for (; !name.empty(); name.remove_prefix(std::min(name.size(), protocol::limits::max_group_bytes)))
        if (!protocol::check_group_name(name.substr(0, protocol::limits::max_group_bytes)).ok())
            return false;
    return true;
}

refusal illegal(std::string why) {
    return {response_code::message_illegal, std::move(why)};
}

// Where PGROUP is within the record.
half_trailer trailer_of(byte_view record, std::int32_t immunity_ms) {
    half_trailer trailer;
    trailer.immunity_ms = immunity_ms;
    const auto written = protocol::decode_stored_message(record);
    HOLDFAST_CHECK(written.ok());
    const auto group = written->property(property::producer_group).value_or("");
    trailer.group_at = static_cast<std::uint32_t>(as_bytes(group).data() - record.data());
    trailer.group_size = static_cast<std::uint16_t>(group.size());
    return trailer;
}

// What is added when the record is served has its room, too (T20). Consumers of such messages find their
// origin there, as RocketMQ's do (T26).
result<void> room_when_served(command_kind kind, const protocol::stored_message& message) {
    if (!is_lean(kind))
        return {};
    auto added = message.properties_bytes() - message.properties.size();
    added += origin_bytes(message.topic, message.queue);
    if (is_half(kind))
        added += check_times_bytes(std::numeric_limits<std::uint32_t>::max());
    return protocol::check_properties_size(message.properties, added);
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
    if (request.topic == protocol::auto_create_topic)
        return refusal{response_code::no_permission,
                       "the topic " + std::string{request.topic} +
                           " is only the template of new topics; send to a topic of your own"};
    if (!is_producer_group(request.producer_group))
        return illegal("a producer group has up to " +
                       std::to_string(protocol::limits::max_stored_group_bytes) +
                       " of the characters % | a-z A-Z 0-9 _ -");
    if (protocol::is_forbidden_to_send(request.topic))
        return refusal{response_code::no_permission, "the topic " + std::string{request.topic} +
                                                         " belongs to the broker; choose another name"};
    if (request.is_batch && protocol::is_retry_topic(request.topic))
        return illegal("a batch can't be sent to a retry topic; send its messages one by one");
    const auto decided = request.sys_flag & protocol::sys_flag::transaction_mask;
    if (decided != 0 && decided != protocol::sys_flag::transaction_prepared)
        return illegal("sysFlag " + std::to_string(request.sys_flag) +
                       " says that the message is committed or rolled back, which only END_TRANSACTION does");
    if ((request.sys_flag & ~(storable_flags | protocol::sys_flag::transaction_mask)) != 0)
        return illegal("sysFlag " + std::to_string(request.sys_flag) + " has bits that a client may not set");
    return std::nullopt;
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
                           request.properties, draft, places, taken))
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
        const auto meant = scan_send_properties((*message)->properties, settings_.delays, now_, scratch_);
        if (!meant.ok())
            return illegal(meant.failure().message);
        if (meant->transactional || meant->due ||
            (request.sys_flag & protocol::sys_flag::transaction_mask) != 0)
            return illegal("a batch can hold no transactional or delayed messages; send them one by one");
        if (const auto fits = check_room(request, *meant, topic); !fits.ok())
            return illegal(fits.failure().message);
    }
    auto reading = first_check;
    while (auto message = reading.next()) {
        if (auto refused = add(request, topic, born_host, taken.queue, (*message)->flag, (*message)->body,
                               (*message)->properties, draft, places, taken))
            return refused;
    }
    taken.messages = static_cast<std::uint32_t>(*count);
    return std::nullopt;
}

// A message that its consumer sends to a retry topic itself has been through here before.
result<void> message_intake::check_room(const protocol::send_message_request& request,
                                        const send_properties& meant, const topic_config& topic) const {
    if (protocol::is_retry_topic(topic.name) || protocol::is_dead_letter_topic(topic.name))
        return protocol::check_properties_size(meant.text, cluster_property_.size() + 1);
    const auto of_half = meant.producer_group.empty()
                             ? protocol::property_bytes(property::producer_group, request.producer_group)
                             : 0;
    const bool half = meant.transactional || (request.sys_flag & protocol::sys_flag::transaction_mask) != 0;
    return protocol::check_properties_size(meant.text, broker_properties_bytes + (half ? of_half : 0));
}

std::string_view message_intake::added_properties(const protocol::send_message_request& request,
                                                  const send_properties& meant, bool half) {
    if (!half || !meant.producer_group.empty())
        return cluster_property_;
    added_ = cluster_property_;
    protocol::append_property(added_, property::producer_group, request.producer_group);
    return added_;
}

// A client whose send back fails writes the message to its group's topic itself, and some copy all of it: of
// a committed transaction also what makes a half. Its transaction is over; nobody would decide it again.
std::string_view message_intake::without_transaction(std::string_view properties) {
    if (!protocol::find_property(properties, property::transaction_message))
        return properties;
    plain_ = protocol::without_property(properties, property::transaction_message);
    return plain_;
}

std::optional<refusal> message_intake::add(const protocol::send_message_request& request,
                                           const topic_config& topic, const protocol::ipv4_host& born_host,
                                           queue_number queue, std::int32_t flag, byte_view body,
                                           std::string_view properties, entry_draft& draft,
                                           std::vector<std::uint32_t>& places, taken_send& taken) {
    const bool is_sent_back = protocol::group_of_topic(topic.name).has_value();
    auto meant = scan_send_properties(is_sent_back ? without_transaction(properties) : properties,
                                      settings_.delays, now_, scratch_);
    if (!meant.ok())
        return illegal(meant.failure().message);
    // A client that gives a message up for the last time asks for its next delay all the same.
    if (protocol::is_dead_letter_topic(topic.name))
        meant->due.reset();
    const bool half = !is_sent_back && (meant->transactional ||
                                        (request.sys_flag & protocol::sys_flag::transaction_mask) != 0);
    if (half && settings_.rejects_transactions)
        return refusal{response_code::no_permission,
                       "this broker takes no transactional messages: rejectTransactionMessage = true"};
    if (half && meant->due)
        return illegal("a transactional message can't be delayed as well; leave one of the two out");
    if (half && request.producer_group.empty() && meant->producer_group.empty())
        return illegal("a transactional message needs a producer group to ask back: set PGROUP");
    protocol::stored_message message;
    message.queue = queue;
    message.flag = flag;
    message.sys_flag = (request.sys_flag & ~protocol::sys_flag::transaction_mask) |
                       (topic.multi_tags ? protocol::sys_flag::multi_tags : 0) |
                       (half ? protocol::sys_flag::transaction_prepared : 0);
    message.born = request.born;
    message.born_host = born_host;
    message.store_host = settings_.store_host;
    message.reconsume_times = std::max(request.reconsume_times, 0);
    message.body = body;
    message.topic = topic.name;
    message.properties = meant->text;
    message.more_properties = added_properties(request, *meant, half);
    if (const auto leave_room = check_room(request, *meant, topic); !leave_room.ok())
        return illegal(leave_room.failure().message);
    if (const auto fits = message.check(); !fits.ok())
        return illegal(fits.failure().message);
    const auto kind = half         ? command_kind::lean_half
                      : meant->due ? command_kind::lean_delayed
                                   : command_kind::message;
    if (const auto fits = room_when_served(kind, message); !fits.ok())
        return illegal(fits.failure().message);
    places.push_back(static_cast<std::uint32_t>(draft.next_payload()));
    const auto size = message.size();
    const auto to = draft.add_record(kind, {topic.id, queue}, meant->tags, size + trailer_bytes(kind));
    protocol::write_stored_message(to.data(), message);
    if (half)
        encode(trailer_of(to.first(size), meant->immunity_ms), to.data() + size);
    else if (meant->due)
        store_little(to.data() + size, *meant->due);
    if (meant->by_timer) {
        taken.recall_at = timestamp_ms{*meant->due};
        taken.recall_key = meant->unique_key;
    }
    return std::nullopt;
}

} // namespace holdfast::broker
