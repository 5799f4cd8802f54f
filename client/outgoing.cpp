#include "client/outgoing.hpp"

#include "client/compression.hpp"
#include "protocol/batch.hpp"
#include "protocol/codes.hpp"
#include "protocol/names.hpp"
#include "protocol/properties.hpp"

#include <algorithm>
#include <array>

namespace holdfast::client {

namespace {

namespace property = protocol::property;

// What the broker adds of its own (protocol reference, T20): CLUSTER, and REAL_TOPIC or RETRY_TOPIC later.
constexpr std::size_t broker_properties_bytes = 512;

constexpr std::array reserved{property::keys,
                              property::tags,
                              property::unique_key,
                              property::delay,
                              property::retry_topic,
                              property::origin_message_id,
                              property::reconsume_time,
                              property::max_reconsume_times,
                              property::real_topic,
                              property::real_queue_id,
                              property::transaction_message,
                              property::producer_group,
                              property::transaction_check_times,
                              property::transaction_id,
                              property::cluster,
                              property::region,
                              property::trace_on,
                              property::timer_delay_s,
                              property::timer_delay_ms,
                              property::timer_deliver_ms,
                              property::min_offset,
                              property::max_offset};

error invalid(std::string text) {
    return {errc::invalid_argument, std::move(text)};
}

} // namespace

namespace {

result<void> check_delay(const message& outgoing) {
    const int given = (outgoing.delay_level != 0 ? 1 : 0) + (outgoing.deliver_after_ms != 0 ? 1 : 0) +
                      (outgoing.deliver_at.value() != 0 ? 1 : 0);
    if (given > 1)
        return invalid("give one of delay_level, deliver_after_ms and deliver_at, not several");
    if (outgoing.delay_level < 0 || outgoing.deliver_after_ms < 0 || outgoing.deliver_at.value() < 0)
        return invalid("delay_level, deliver_after_ms and deliver_at must be 0 (none) or more");
    return {};
}

void append_delay(std::string& text, const message& outgoing) {
    if (outgoing.delay_level != 0)
        protocol::append_property(text, property::delay, std::to_string(outgoing.delay_level));
    if (outgoing.deliver_after_ms != 0)
        protocol::append_property(text, property::timer_delay_ms, std::to_string(outgoing.deliver_after_ms));
    if (outgoing.deliver_at.value() != 0)
        protocol::append_property(text, property::timer_deliver_ms,
                                  std::to_string(outgoing.deliver_at.value()));
}

} // namespace

bool is_reserved_property(std::string_view name) {
    return std::find(reserved.begin(), reserved.end(), name) != reserved.end();
}

result<void> check_message(const message& outgoing, std::size_t max_bytes) {
    if (auto name = protocol::check_topic_name(outgoing.topic); !name)
        return name;
    if (outgoing.body.empty())
        return invalid("the body is empty; RocketMQ has no empty messages");
    if (outgoing.body.size() > max_bytes)
        return invalid("the body has " + std::to_string(outgoing.body.size()) + " bytes, more than " +
                       std::to_string(max_bytes) + " allowed by max_message_bytes");
    if (auto delay = check_delay(outgoing); !delay)
        return delay;
    std::size_t bytes = protocol::property_bytes(property::unique_key, "") + protocol::message_id_chars;
    const auto check = [&](std::string_view name, std::string_view value) {
        bytes += protocol::property_bytes(name, value);
        return protocol::check_property(name, value);
    };
    if (!outgoing.tag.empty()) {
        if (auto good = check(property::tags, outgoing.tag); !good)
            return good;
        if (outgoing.tag == "*" || outgoing.tag.find("||") != std::string::npos)
            return invalid("the tag '" + outgoing.tag +
                           "' can't be subscribed to: '*' and '||' are operators");
    }
    if (!outgoing.keys.empty())
        if (auto good = check(property::keys, outgoing.keys); !good)
            return good;
    for (const auto& [name, value] : outgoing.properties) {
        if (is_reserved_property(name))
            return invalid("the property name '" + name + "' is RocketMQ's own; choose another");
        if (auto good = check(name, value); !good)
            return good;
    }
    if (bytes + broker_properties_bytes > protocol::limits::max_properties_bytes)
        return invalid("the properties have " + std::to_string(bytes) + " bytes; at most " +
                       std::to_string(protocol::limits::max_properties_bytes - broker_properties_bytes) +
                       " fit");
    return {};
}

std::string make_properties(const message& outgoing, std::string_view message_id) {
    std::string text;
    text.reserve(64 + outgoing.keys.size() + outgoing.tag.size());
    if (!outgoing.keys.empty())
        protocol::append_property(text, property::keys, outgoing.keys);
    protocol::append_property(text, property::unique_key, message_id);
    if (!outgoing.tag.empty())
        protocol::append_property(text, property::tags, outgoing.tag);
    append_delay(text, outgoing);
    for (const auto& [name, value] : outgoing.properties)
        protocol::append_property(text, name, value);
    return text;
}

std::int32_t compress_body(std::string& body, const producer_options& options) {
    if (options.compress_over_bytes == 0 || body.size() <= options.compress_over_bytes)
        return 0;
    std::string smaller = deflate_text(body, options.compression_level);
    if (smaller.empty())
        return 0;
    body = std::move(smaller);
    return protocol::sys_flag::compressed;
}

result<std::string> make_batch(std::span<const message> messages, std::size_t max_bytes,
                               protocol::unique_key_generator& ids, timestamp_ms now) {
    if (messages.empty())
        return invalid("the batch is empty");
    if (messages.size() > protocol::limits::max_batch_messages)
        return invalid("the batch has " + std::to_string(messages.size()) + " messages; at most " +
                       std::to_string(protocol::limits::max_batch_messages) + " are allowed");
    byte_buffer out;
    for (const message& each : messages) {
        if (each.topic != messages.front().topic)
            return invalid("the batch mixes the topics '" + messages.front().topic + "' and '" + each.topic +
                           "'; send one batch per topic");
        if (auto good = check_message(each, max_bytes); !good)
            return good.failure();
        if (each.is_delayed())
            return invalid("a batch can't hold delayed messages; send them one by one");
        const std::string properties = make_properties(each, ids.next(now));
        protocol::append_batch_message(
            out, {.flag = each.flag, .body = as_bytes(each.body), .properties = properties});
        if (out.size() > max_bytes)
            return invalid("the batch has more than " + std::to_string(max_bytes) +
                           " bytes altogether; split it");
    }
    return std::string{as_text(out.view())};
}

} // namespace holdfast::client
